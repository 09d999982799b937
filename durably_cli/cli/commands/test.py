"""`durably test`: kill a job everywhere, resume it, and say what happened twice."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.arguments import read_input
from durably_cli.cli.asking import say
from durably_cli.cli.completion import complete_jobs
from durably_cli.cli.parameters import AsJson, InputFields, InputText, Quiet
from durably_cli.errors import UsageError
from durably_cli.project.script_files import is_script, script_named
from durably_cli.values.quantities import plural

if TYPE_CHECKING:
    from durably_cli.render.crash_types import CrashReport


@as_command()
def test(
    context: typer.Context,
    job: Annotated[
        str | None,
        typer.Argument(
            help="The job's name, or a script.", metavar="[JOB]", autocompletion=complete_jobs
        ),
    ] = None,
    crash_everywhere: Annotated[
        bool,
        typer.Option(
            "--crash-everywhere", help="Kill it at each place, and resume it: the test there is."
        ),
    ] = False,
    input: InputText = None,
    field: InputFields = None,
    watch: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="A file, folder or SQLite database to compare, and to put back before each kill. "
            "May be repeated.",
        ),
    ] = None,
    send: Annotated[
        list[str] | None,
        typer.Option(
            "--signal",
            metavar="NAME=JSON",
            help="What a step that waits for a signal is sent. May be repeated.",
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", min=0, metavar="N", help="At how many places to kill it; 0 is all of them."
        ),
    ] = 200,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Kill a job at each place, resume it, and say what happened twice.

    The job is really executed, twice for each place, in a store of its own: give it copies, and
    stand-ins for servers. It is killed behind each line of its journal, before each result is
    written, and at the lines of code of its steps; then it is resumed, and what it gave, and what
    is watched, compared with an undisturbed run. Exit code 1 if something is otherwise, or if the
    undisturbed run fails.

    In a pipe a finding is a line of tab-separated cells: kind, step, function, call, path, what is
    otherwise, what mends it, where it was killed, how often. `durably help testing` says more.

    \b
    Examples:
      durably test sync-users --crash-everywhere -p org_id=org_123 --watch users.db
      durably test mailing --crash-everywhere -i @input.json --watch outbox --limit 0
      durably test clean-up --crash-everywhere --watch downloads --signal 'approval={"approved": 1}'
    """
    if not crash_everywhere:
        again = hints.command("test", *filter(None, (job,)), "--crash-everywhere")
        raise UsageError("say which test: --crash-everywhere is the one there is", hint=again)
    script = script_named(job) if job else None
    project = script or project_of(context)
    if job is None and not is_script(project):  # of a script its own goes without saying
        look = f"{hints.command('jobs')}    (lists the jobs)"
        raise UsageError("say which JOB is to be tested", hint=look)
    given, signals = read_input(input, field or []), _signals(send or [])
    from durably_cli.cli.crash_test.campaign import crash_everywhere as crash  # not for --help
    from durably_cli.cli.crash_test.trial import Subject
    from durably_cli.render import crashes

    is_silent = quiet or as_json
    with crashes.Counter(sys.stderr, is_silent=is_silent) as counter:
        subject = Subject(project, "" if script or job is None else job, given, signals)
        report = crash(subject, watch or [], limit, _mute if is_silent else counter.say, counter.at)
    if as_json:
        crashes.write_report_json(report, document.on(sys.stdout))
    elif sys.stdout.isatty():
        if report["findings"] or not quiet:
            crashes.show_report(report, sys.stdout)
    else:
        crashes.write_report(report, sys.stdout)
        if not is_silent:
            say(crashes.summary_of(report))
            for line in report["unseen"]:
                say(f"not seen: {line}")
    return _end_of(report)


def _end_of(report: CrashReport) -> int:
    """Say what is to be mended; the exit code."""
    hint = hints.command("help", "testing")
    if report["status"] == "failed":  # what comes behind that has not been tested
        why = (report["reason"] or "").partition("\n")[0]
        fails = f"an undisturbed run of {report['job']} fails: {why}"
        document.fail("run-failed", 1, fails, hint)
        say(f"durably: {fails}")
    if report["findings"]:
        found = plural(len(report["findings"]), "fault")
        document.fail("crash-faults", 1, f"{found} in {report['job']}", hint)
    return 1 if report["findings"] or report["status"] == "failed" else 0


def _signals(given: Sequence[str]) -> dict[str, str]:
    """The signals of `--signal NAME=JSON`, as JSON texts. UsageError for what is none."""
    found = dict[str, str]()
    for each in given:
        name, _, text = each.partition("=")
        try:
            found[name] = json.dumps(json.loads(text))
        except ValueError:
            raise UsageError(
                f"--signal {each!r} is no signal; it reads NAME=JSON",
                hint="""--signal 'approval={"approved": true}'""",
            ) from None
    return found


def _mute(_: str) -> None:
    pass
