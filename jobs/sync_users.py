"""Copy an organisation's users from a JSON or CSV source into a SQLite database."""

import csv
import io
import json
import re
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from durably import Step, define_job
from pydantic import BaseModel, Field

HERE = Path(__file__).resolve().parent


class SyncUsersInput(BaseModel):
    org_id: str = Field(description="the organisation whose users are copied", examples=["org_123"])
    force: bool = Field(default=False, description="write users that have not changed as well")
    source: str = Field(default=str(HERE / "users.json"), description="path or URL of JSON or CSV")
    database: Path = Field(
        default=HERE.parent / "users.db", description="the SQLite file to write to"
    )


class SyncUsersOutput(BaseModel):
    synced_count: int
    errors: list[str]


class User(BaseModel):
    id: str
    org_id: str
    name: str
    email: str
    updated_at: str


@define_job(name="sync-users", input=SyncUsersInput, output=SyncUsersOutput)
def sync_users(step: Step, payload: SyncUsersInput) -> SyncUsersOutput:
    """Copy an organisation's users into a SQLite database."""
    users = step.run("fetch-users", fetch_users, payload.source, payload.org_id)
    step.log.info("fetched users", count=len(users))
    errors: list[str] = []
    for done, user in enumerate(users, 1):
        error = step.transaction(
            f"sync-{user.id}", payload.database, sync_user, user, payload.force
        )
        if error:  # the step returns its outcome, so a replay sees it too
            errors.append(error)
        step.progress(done, len(users), user.name)
    return SyncUsersOutput(synced_count=len(users) - len(errors), errors=errors)


def fetch_users(source: str, org_id: str) -> list[User]:
    """The users of the organisation, each id once."""
    text = read_text(source)
    is_csv = urlsplit(source).path.endswith(".csv")
    records = list(csv.DictReader(io.StringIO(text))) if is_csv else json.loads(text)
    users = {record["id"]: User.model_validate(record) for record in records}
    return [user for user in users.values() if user.org_id == org_id]


def read_text(source: str) -> str:
    if urlsplit(source).scheme in ("http", "https", "file"):
        with urlopen(source, timeout=30) as response:
            return str(response.read(), "utf-8")
    return Path(source).read_text(encoding="utf-8")


def sync_user(connection: sqlite3.Connection, user: User, force: bool) -> str | None:
    """Insert or update the user, in a transaction. What is wrong with it, or None."""
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", user.email):
        return f"{user.id}: {user.email!r} is not an e-mail address"
    connection.execute(
        "CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, org_id TEXT NOT NULL,"
        " name TEXT NOT NULL, email TEXT NOT NULL, updated_at TEXT NOT NULL)"
    )
    connection.execute(
        "INSERT INTO users VALUES (:id, :org_id, :name, :email, :updated_at)"
        " ON CONFLICT (id) DO UPDATE SET org_id = excluded.org_id, name = excluded.name,"
        " email = excluded.email, updated_at = excluded.updated_at"
        " WHERE :force OR excluded.updated_at > users.updated_at",
        {**user.model_dump(), "force": force},
    )
    return None
