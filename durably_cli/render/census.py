"""Workers and queues of an engine, in rows, as a table and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from durably_cli.engines.census import Census
from durably_cli.render.rows import row, write_json
from durably_cli.render.words import local_time
from durably_cli.values.visible import visible

if TYPE_CHECKING:
    from durably_cli.render.part_types import EngineFields


def write_census(census: Census, out: TextIO) -> None:
    """A line for the server, each worker, and each job with runs that have not ended."""
    out.write(row("server", census.place, census.project, census.server, census.dbos))
    for each in census.workers:
        state = "alive" if each.is_alive else "gone"
        cells = (each.host, each.version, str(each.slots), ",".join(each.jobs))
        out.write(row("worker", each.id, state, *cells, str(each.runs), each.since))
    for job in census.jobs:
        out.write(row("job", job.job, str(job.queued), str(job.running), str(job.waiting)))


def draw_census(census: Census, out: TextIO) -> None:
    """The same as tables on a terminal."""
    from rich.table import Table  # only a terminal needs it
    from rich.text import Text

    from durably_cli.render.tables import GAP, console_on

    console = console_on(out)
    versions = f"PostgreSQL {census.server}" + (f", DBOS {census.dbos}" if census.dbos else "")
    console.print(Text.assemble((visible(census.project), "bold"), (f"  {census.place}", "dim")))
    console.print(Text(versions, style="dim"))
    workers = Table(box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0))
    for name in ("worker", "state", "runs", "durably", "since", "jobs"):
        workers.add_column(name, overflow="fold", justify="right" if name == "runs" else "left")
    for each in census.workers:
        state = Text("alive", style="green") if each.is_alive else Text("gone", style="red")
        runs, jobs = f"{each.runs} of {each.slots}", ", ".join(map(visible, each.jobs))
        workers.add_row(visible(each.id), state, runs, each.version, local_time(each.since), jobs)
    loads = Table(box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0))
    for name in ("job", "queued", "running", "waiting"):
        loads.add_column(name, overflow="fold", justify="left" if name == "job" else "right")
    for job in census.jobs:
        loads.add_row(visible(job.job), *(f"{n:,}" for n in (job.queued, job.running, job.waiting)))
    if census.workers:
        console.print(workers)
    else:
        console.print(Text("no worker is there", style="yellow"))
    if census.jobs:
        console.print(loads)


def write_census_json(census: Census, out: TextIO) -> None:
    """{"schema": 1, "engine": {...}; no last brace."""
    fields: EngineFields = {
        "name": "dbos",
        "project": census.project,
        "database": census.place,
        "server": census.server,
        "dbos": census.dbos or None,
        "workers": [
            {
                "id": each.id,
                "alive": each.is_alive,
                "host": each.host,
                "pid": each.pid,
                "durably": each.version,
                "slots": each.slots,
                "runs": each.runs,
                "since": each.since,
                "jobs": each.jobs,
            }
            for each in census.workers
        ],
        "jobs": [
            {
                "name": each.job,
                "queued": each.queued,
                "running": each.running,
                "waiting": each.waiting,
            }
            for each in census.jobs
        ],
    }
    write_json({"engine": fields}, out)
