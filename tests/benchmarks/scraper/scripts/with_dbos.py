# DBOS on SQLite, a step a page; what is typed again after a kill is the same command
import asyncio
import urllib.request
from pathlib import Path

from dbos import DBOS, SetWorkflowID


def download(url: str) -> int:
    with urllib.request.urlopen(url, timeout=30) as page:
        return Path("pages", url.rpartition("/")[2]).write_bytes(page.read())


@DBOS.step(retries_allowed=True, max_attempts=3)
async def fetch(url: str) -> int:
    return await asyncio.to_thread(download, url)


@DBOS.workflow()
async def scrape(urls: list[str]) -> int:
    room = asyncio.Semaphore(16)  # which lets them in as they come, so that steps have one order

    async def fetched(url: str) -> int:
        async with room:
            return await fetch(url)

    return len(await asyncio.gather(*map(fetched, urls)))


async def main() -> None:
    with SetWorkflowID("scrape"):
        handle = await DBOS.start_workflow_async(scrape, Path("urls.txt").read_text().split())
    print(await handle.get_result())


if __name__ == "__main__":
    DBOS(config={"name": "scraper", "system_database_url": "sqlite:///scraper.sqlite"})
    DBOS.launch()
    asyncio.run(main())
