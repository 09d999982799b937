// Opens a page in a headless browser, runs a function in it, and prints what that returns as JSON.
// node browser.mjs PACKAGES PAGE PROGRAM [EXECUTABLE]; errors of the page are errors here.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [packages, page, program, executable] = process.argv.slice(2);
const load = async (name) => {
  const path = createRequire(pathToFileURL(packages + "/")).resolve(name);
  return import(pathToFileURL(path));
};
const puppeteer = (await load("puppeteer-core")).default;
const flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"];
let options = { executablePath: executable, headless: true, args: flags };
if (!executable) {
  const chromium = (await load("@sparticuz/chromium")).default;
  const args = await puppeteer.defaultArgs({ args: chromium.args, headless: "shell" });
  options = { executablePath: await chromium.executablePath(), headless: "shell", args };
}
const browser = await puppeteer.launch(options);
try {
  const tab = await browser.newPage();
  const errors = [];
  tab.on("pageerror", (error) => errors.push(String(error)));
  tab.on("console", (line) => line.type() === "error" && errors.push(line.text()));
  tab.on("request", (request) => request.url().startsWith("http") && errors.push(request.url()));
  await tab.goto(page);
  const found = await tab.evaluate(new Function(`return (async () => { ${program} })()`));
  if (errors.length) throw new Error(errors.join("\n"));
  console.log(JSON.stringify(found));
} finally {
  await browser.close();
}
