"""Back up a SQLite database each night: copy, check, compress, upload, and remove old ones."""

import gzip
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from durably import Retry, RetryAfter, Run, Secret, Step, define_job
from pydantic import BaseModel, Field, PositiveInt

HERE = Path(__file__).resolve().parent
UPLOADS = Retry(8, delay="5s", max_delay="10m", max_time="4h", on=(OSError, RetryAfter))


class Backup(BaseModel):
    database: Path = Field(
        default=HERE.parent / "users.db", description="the SQLite file to back up"
    )
    folder: Path = Field(default=HERE.parent / "backups", description="where the backups are")
    keep: PositiveInt = Field(default=14, description="how many of them stay there")
    url: str | None = Field(
        default=None, description="the folder of a server to PUT it into as well"
    )
    token: Secret | None = Field(default=None, description="what the server wants to see")


class BackedUp(BaseModel):
    file: Path
    size: int
    uploaded: bool
    removed: list[str]


class Refused(Exception):
    """The server does not want it."""


def notice(run: Run[BackedUp]) -> None:
    """Tell a topic of ntfy.sh, or whatever takes a text by POST, that there is no backup."""
    url = os.environ.get("BACKUP_NOTICE_URL")
    if url and run.error:
        where = f" in {', '.join(run.failed_steps)}" if run.failed_steps else ""
        text = f"backup {run.id} failed{where}: {run.error.message}"
        urlopen(Request(url, data=text.encode()), timeout=30).close()


@define_job(name="nightly-backup", timeout="6h", on_failure=notice)
def nightly_backup(step: Step, backup: Backup) -> BackedUp:
    """Back up a SQLite database, and remove old backups."""
    day = step.created_at.date()  # of the run: the same if it goes on after midnight
    copy = step.run("copy", copy_database, backup.database, backup.folder, day)
    packed = step.run("compress", compress, copy)
    if backup.url:
        key = step.idempotency_key("upload")
        token = backup.token.get_secret_value() if backup.token else ""
        step.run("upload", upload, packed, backup.url, token, key, tries=UPLOADS, timeout="1h")
    removed = step.run("prune", prune, backup.folder, backup.database.stem, backup.keep)
    size = packed.stat().st_size
    return BackedUp(file=packed, size=size, uploaded=bool(backup.url), removed=removed)


def copy_database(database: Path, folder: Path, day: date) -> Path:
    """A copy as of one moment, though others write to it meanwhile; and it is intact."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{database.stem}-{day}.db"
    target.unlink(missing_ok=True)  # of an attempt that was killed
    source = f"file:{quote(str(database.resolve(strict=True)))}?mode=ro"
    with (
        closing(sqlite3.connect(source, uri=True, timeout=60)) as original,
        closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)
        (found,) = copy.execute("PRAGMA integrity_check").fetchone()
    if found != "ok":
        raise ValueError(f"{database} is damaged: {found}")
    return target


def compress(copy: Path) -> Path:
    """The copy as a .gz, whole or not there; the copy itself is removed."""
    packed, part = copy.with_suffix(".db.gz"), copy.with_suffix(".part")
    if copy.exists():  # else an attempt that was killed has been here
        with copy.open("rb") as source, gzip.open(part, "wb") as target:
            shutil.copyfileobj(source, target)
        part.replace(packed)
        copy.unlink()
    return packed


def upload(packed: Path, url: str, token: str, key: str) -> int:
    """PUT it: doing so twice does no harm. The server's status."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Length": str(packed.stat().st_size),
        "Content-Type": "application/gzip",
        "Idempotency-Key": key,
    }
    with packed.open("rb") as body:
        request = Request(f"{url.rstrip('/')}/{packed.name}", body, headers, method="PUT")
        try:
            with urlopen(request, timeout=60) as response:
                return int(response.status)
        except HTTPError as error:
            after = error.headers.get("Retry-After", "")
            if after.isdigit():
                raise RetryAfter(after, f"{error}, in {after} s") from None
            if error.code < 500:  # it will say the same next time
                raise Refused(f"{url}: {error}") from None
            raise


def prune(folder: Path, stem: str, keep: int) -> list[str]:
    """Remove all backups of this database but the latest; their names."""
    old = sorted(folder.glob(f"{stem}-????-??-??.db.gz"))[:-keep]
    for path in old:
        path.unlink(missing_ok=True)
    return [path.name for path in old]
