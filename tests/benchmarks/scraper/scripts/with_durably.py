# durably trigger scrape, and after a kill durably resume @last
import urllib.request
from pathlib import Path

from durably import Step, define_job


@define_job
def scrape(step: Step) -> int:
    urls = Path("urls.txt").read_text().split()
    return len(step.map("fetch", fetch, urls, concurrency=16, tries=3))


def fetch(url: str) -> int:
    with urllib.request.urlopen(url, timeout=30) as page:
        return Path("pages", url.rpartition("/")[2]).write_bytes(page.read())
