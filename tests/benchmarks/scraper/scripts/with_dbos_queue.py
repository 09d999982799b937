# DBOS on SQLite, a workflow a page on a queue; what is typed again after a kill is the same command
import urllib.request
from pathlib import Path

from dbos import DBOS, SetWorkflowID


@DBOS.step(retries_allowed=True, max_attempts=3)
def fetch(url: str) -> int:
    with urllib.request.urlopen(url, timeout=30) as page:
        return Path("pages", url.rpartition("/")[2]).write_bytes(page.read())


@DBOS.workflow()
def scrape(urls: list[str]) -> int:
    handles = [DBOS.enqueue_workflow("pages", fetch, url) for url in urls]
    return len([handle.get_result() for handle in handles])


if __name__ == "__main__":
    DBOS(config={"name": "scraper", "system_database_url": "sqlite:///scraper.sqlite"})
    DBOS.launch()
    DBOS.register_queue("pages", worker_concurrency=16, polling_interval_sec=0.05)
    with SetWorkflowID("scrape"):
        handle = DBOS.start_workflow(scrape, Path("urls.txt").read_text().split())
    print(handle.get_result())
