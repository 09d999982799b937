// The workloads on @coji/durably; runs on Node, from the npm project that has the package.
//
// As its quick start has it: `createDurably`, `init()` (its two halves are called here, `migrate`
// and `start`), `triggerAndWait()`, `stop()`, the end.
// It has neither telemetry nor a server of its own, and logs nothing, so nothing is turned off.
//
// defaults   better-sqlite3, which its guide has for CLI tools and scripts, as it is opened there:
//            a rollback journal, synchronous FULL
// libsql     libSQL, which its quick start has
// wal        better-sqlite3 with the WAL that its own README advises; its SQLite is built so that
//            synchronous is NORMAL then, which leaves the last steps to a power cut
// wal-full   the same with synchronous FULL
//
// The worker looks for runs each millisecond, not each second, since a script triggers its run
// after the worker has started: the wait for the next look is no part of what is measured. The
// wait for the end of a run needs no looks, for it is woken in the process; its interval is left.

import { createDurably, defineJob } from "@coji/durably";
import { sql } from "kysely";
import { appendFileSync, mkdirSync, readFileSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

const [mode, workload, ...rest] = process.argv.slice(2);
const data = rest.at(-1);
const count = Number(rest[0]);
const effects = `${data}/effects`;
const WAIT = { pollingIntervalMs: 1000 };

const user = (number) => ({ id: number, ok: true, name: `user-${number}` });

const manySteps = defineJob({
  name: "many-steps",
  input: z.object({ count: z.number() }),
  output: z.object({ done: z.number() }),
  run: async (step, { count }) => {
    let done = 0;
    for (let number = 0; number < count; number++) {
      done += (await step.run(`user-${number}`, () => user(number))).ok;
    }
    return { done };
  },
});

// Its documentation says nothing of steps side by side; Promise.all of sixteen loops is what a
// promise-based step invites to. All that side by side are begun are stored, as its results show.
const manyWaitingSteps = defineJob({
  name: "many-waiting-steps",
  input: z.object({ count: z.number() }),
  output: z.object({ done: z.number() }),
  run: async (step, { count }) => {
    let next = 0;
    let done = 0;
    const lane = async () => {
      while (next < count) {
        const number = next++;
        await step.run(`item-${number}`, () => sleep(5, number));
        done += 1;
      }
    };
    await Promise.all(Array.from({ length: 16 }, lane));
    return { done };
  },
});

const manyNotedSteps = defineJob({
  name: "many-noted-steps",
  input: z.object({ count: z.number() }),
  output: z.object({ done: z.number() }),
  run: async (step, { count }) => {
    let done = 0;
    for (let number = 0; number < count; number++) {
      done += (await step.run(`user-${number}`, () => notedUser(number))).ok;
    }
    if (workload === "prepare") {
      say({ steps: done });
      process.kill(process.pid, "SIGKILL");
    }
    return { done };
  },
});

function notedUser(number) {
  appendFileSync(effects, `${number}\n`);
  return user(number);
}

const syncUsers = defineJob({
  name: "sync-users",
  input: z.object({ org_id: z.string(), force: z.boolean() }),
  output: z.object({ saved: z.number() }),
  run: async (step, { org_id, force }) => {
    const users = await step.run("fetch", () => [0, 1, 2].map((number) => `${org_id}-${number}`));
    const saved = await step.run("save", () => (force ? users.length : 0));
    return await step.run("report", () => ({ saved }));
  },
});

async function steps() {
  const durably = await started();
  const start = performance.now();
  const { output } = await durably.jobs.manySteps.triggerAndWait({ count }, WAIT);
  const seconds = (performance.now() - start) / 1000;
  await stop(durably);
  return { steps: output.done, seconds };
}

async function many() {
  const durably = await started();
  const start = performance.now();
  const { id, output } = await durably.jobs.manyWaitingSteps.triggerAndWait({ count }, WAIT);
  const seconds = (performance.now() - start) / 1000;
  const run = await durably.getRun(id);
  if (run.completedStepCount !== count) throw new Error(`${run.completedStepCount} are stored`);
  await stop(durably);
  return { steps: output.done, seconds };
}

async function trigger() {
  const durably = await started();
  const { output } = await durably.jobs.syncUsers.triggerAndWait(
    { org_id: "acme", force: true },
    WAIT,
  );
  await stop(durably);
  return { result: output };
}

async function prepare() {
  const durably = await started();
  await durably.jobs.manyNotedSteps.triggerAndWait({ count }, WAIT);
}

// By default a dead process holds its run for up to 30 s. No worker looks meanwhile, which would
// take a processor.
async function replay() {
  const durably = await migrated();
  const [run] = await durably.getRuns({ status: "leased", limit: 1 });
  const waited = Math.max(0, Date.parse(run.leaseExpiresAt) - Date.now()) + 10;
  await sleep(waited);
  const start = performance.now();
  durably.start();
  const { output } = await durably.waitForRun(run.id, WAIT);
  const seconds = (performance.now() - start) / 1000;
  await stop(durably);
  if (readFileSync(effects, "utf8").split("\n").length - 1 !== output.done) {
    throw new Error("finished steps ran again");
  }
  return { replayed: output.done, seconds, waited: waited / 1000 };
}

// Runs one job and copies its row, all that is left of a run, each copy a second older.
async function fill() {
  const durably = await started();
  const { id } = await durably.jobs.syncUsers.triggerAndWait({ org_id: "acme", force: true }, WAIT);
  await durably.stop();
  const { rows } = await sql`PRAGMA table_info(durably_runs)`.execute(durably.db);
  const values = rows.map(({ name }) => {
    if (name === "id") return sql`printf('copy-%08d', ${count} - n)`;
    if (!name.endsWith("_at") || name === "lease_expires_at") return sql.ref(name);
    return sql`strftime('%Y-%m-%dT%H:%M:%fZ', ${sql.ref(name)}, '-' || n || ' seconds')`;
  });
  await sql`WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies
      WHERE n < ${count})
    INSERT INTO durably_runs (${sql.join(rows.map(({ name }) => sql.ref(name)))})
    SELECT ${sql.join(values)} FROM durably_runs, copies
    WHERE id = ${id} AND n < ${count}`.execute(durably.db);
  await durably.db.destroy();
  return { runs: count };
}

async function list() {
  const durably = await migrated();
  const start = performance.now();
  const runs = await durably.getRuns({ limit: 20 });
  const seconds = (performance.now() - start) / 1000;
  await durably.db.destroy();
  if (runs.length !== Math.min(count, 20)) throw new Error(`${runs.length} runs are listed`);
  return { runs: runs.map(({ id }) => id), seconds };
}

async function version() {
  const home = new URL("node_modules/@coji/durably/package.json", import.meta.url);
  const durably = createDurably({ dialect: await dialect(":memory:") });
  const { rows } = await sql`SELECT sqlite_version() AS sqlite`.execute(durably.db);
  return {
    "@coji/durably": JSON.parse(readFileSync(home, "utf8")).version,
    Node: process.versions.node,
    SQLite: rows[0].sqlite,
  };
}

async function started(more = {}) {
  const durably = await migrated(more);
  durably.start();
  return durably;
}

async function migrated(more = {}) {
  mkdirSync(data, { recursive: true });
  const durably = createDurably({
    dialect: await dialect(),
    jobs: { manySteps, manyWaitingSteps, manyNotedSteps, syncUsers },
    pollingIntervalMs: 1,
    ...more,
  });
  await durably.migrate();
  return durably;
}

async function stop(durably) {
  await durably.stop();
  await durably.db.destroy();
}

async function dialect(path = `${data}/local.db`) {
  if (mode === "libsql") {
    const { createClient } = await import("@libsql/client");
    const { LibsqlDialect } = await import("@libsql/kysely-libsql");
    return new LibsqlDialect({ client: createClient({ url: `file:${path}` }) });
  }
  const { default: Database } = await import("better-sqlite3");
  const { SqliteDialect } = await import("kysely");
  const database = new Database(path);
  if (mode.startsWith("wal")) database.pragma("journal_mode = WAL");
  if (mode === "wal-full") database.pragma("synchronous = FULL");
  return new SqliteDialect({ database });
}

const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);

const workloads = { steps, trigger, prepare, replay, fill, list, many, version };
say(await workloads[workload]());
