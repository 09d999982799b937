"""What a person is given who is to know that a job fails, or does so no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from durably_cli import hints
from durably_cli.engines.notices import Change, NoticeKind
from durably_cli.engines.run_view import RunView
from durably_cli.errors import DurablyError
from durably_cli.render.next_steps import how_to_go_on, next_commands
from durably_cli.render.reason import reason
from durably_cli.render.record import SCHEMA, details, summary
from durably_cli.render.report import report
from durably_cli.render.words import utc_time
from durably_cli.system.ids import short
from durably_cli.values.strict_json import to_json
from durably_cli.values.visible import visible, visible_lines

if TYPE_CHECKING:
    from durably_cli.render.run_types import RunDetails, RunSummary

_SUBJECT, _LONGEST = 200, 16_000
"""How many characters of it, and of any variable, for a program takes none of any length."""


class Notice(NamedTuple):
    """A document, as `--json` prints one, and what of it stands in variables."""

    document: bytes
    variables: dict[str, str]


def notice_of(view: RunView, change: Change, project: str) -> Notice:
    """What is said of a change in how a job does, of which this is the run."""
    with hints.in_a_mail():
        return _notice_of(view, change, project)


def _notice_of(view: RunView, change: Change, project: str) -> Notice:
    job, run_id = view.state.created.job, short(view.run_id)
    if change.kind is NoticeKind.FAILURE:
        why = change.why or reason(view) or ""
        subject = f"{job} fails: {why}" if why else f"{job} fails"
        text = report(view, None, how_to_go_on(view), _as_it_is, utc_time)
        if change.why:
            text = f"{visible(change.why)}\n\n{text}"
    else:
        why = ""
        subject = f"{job} has recovered"
        text = (
            f"run {run_id} of {job} has completed at {utc_time(view.state.ended or '')}; it had "
            f"failed since {utc_time(change.since)}, by run {short(change.failed_run)}\n"
        )
    subject = visible(subject)[:_SUBJECT]
    document = {
        "schema": SCHEMA,
        "notice": change.kind,
        "subject": subject,
        "text": text,
        "since": change.since,
        "failed_run": change.failed_run,
        "run": {**_fields(view), "reason": why or reason(view)},
        "next": next_commands(view),
    }
    variables = {
        "DURABLY_NOTICE": change.kind,
        "DURABLY_RUN_ID": view.run_id,
        "DURABLY_JOB": job,
        "DURABLY_STATUS": view.status,
        "DURABLY_REASON": why,
        "DURABLY_SINCE": change.since,
        "DURABLY_PROJECT": project,
        "DURABLY_SUBJECT": subject,
        "DURABLY_TEXT": text,
    }
    cut = {name: visible_lines(value[:_LONGEST]) for name, value in variables.items()}
    return Notice((to_json(document) + "\n").encode(), cut)


def _fields(view: RunView) -> RunDetails | RunSummary:
    """All of the run, or what can be read of it."""
    try:
        return details(view)
    except DurablyError:  # a file of its own is damaged
        return summary(view)


def _as_it_is(text: str) -> str:
    """A journal holds no secrets."""
    return text
