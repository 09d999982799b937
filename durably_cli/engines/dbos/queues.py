"""What durably's runs are called in DBOS."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict

from durably_cli.engines.dbos.database import KEEPALIVE

WORKFLOW = "durably.run"


def application(project: str) -> str:
    """DBOS's name of a project: it takes a-z, 0-9, hyphens and underscores."""
    return f"durably-{project}"


def queues_of(project: str) -> tuple[str, str]:
    """The queue of runs that have no concurrency key, and that of the others: a key is a partition.

    Workers poll each, so there are two, however many jobs.
    """
    return f"durably/{project}/runs", f"durably/{project}/keys"


def queue_of(project: str, key: str | None) -> str:
    """The queue of a run."""
    return queues_of(project)[key is not None]


def system_url(url: str) -> str:
    """The URL as SQLAlchemy takes it, which needs one with `://`, with `KEEPALIVE` in it."""
    if "://" in url:
        bounds = urlencode(KEEPALIVE)
        return f"{url}{'&' if '?' in url else '?'}{bounds}"
    parts = {name: str(value) for name, value in conninfo_to_dict(url, **KEEPALIVE).items()}
    user, password = quote(parts.pop("user", "")), quote(parts.pop("password", ""), safe="")
    name = quote(parts.pop("dbname", ""))
    who = f"{user}:{password}@" if password else f"{user}@" if user else ""
    return f"postgresql://{who}/{name}?{urlencode(parts)}"
