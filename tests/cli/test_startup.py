"""What a command imports: a cron line and a shell prompt pay for every module."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

import pytest

from tests.conftest import Project

pytestmark = pytest.mark.usefixtures("interpreters")

OF_DBOS = {"psycopg", "dbos", "sqlalchemy", "durably_cli.engines.dbos"}
HEAVY = {"pydantic", "pydantic_core", "rich", "asyncio", "logging", "tomllib", "unittest"}


def at_the_end_of(project: Project, expression: str, *args: str) -> list[str]:
    """What is in that expression when `durably *args` has ended, in a pipe."""
    program = (
        "import atexit, gc, sys, durably_cli\n"
        "begun = gc.get_stats()\n"
        f"atexit.register(lambda: print(*{expression}, file=sys.stderr))\n"
        "sys.argv[0] = 'durably'\n"
        "from durably_cli.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        cwd=project.root,
        env=project.env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr.splitlines()[-1].split()


def modules_of(project: Project, *args: str) -> set[str]:
    """The modules that `durably *args` has loaded when it ends."""
    return set(at_the_end_of(project, "sys.modules", *args))


@pytest.fixture
def one(project: Project) -> Project:
    project.job(
        "@define_job\ndef one(step: Step, payload: dict) -> None:\n    step.run('x', int)\n"
    )
    project.run("trigger", "one")
    return project


@pytest.mark.parametrize(
    "args", [("list",), ("list", "--json"), ("inspect", "@last"), ("wait", "@last"), ("--version",)]
)
def test_looking_loads_no_pydantic_no_rich_and_no_job(one: Project, args: tuple[str, ...]) -> None:
    loaded = modules_of(one, *args)
    assert not loaded & (HEAVY | OF_DBOS)
    assert not {name for name in loaded if name.partition(".")[0] == "jobs"}
    assert "durably_cli.project.job" not in loaded
    assert "durably_cli.steps.step" not in loaded


@pytest.mark.parametrize("command", ["list", "inspect @last", "tick"])
def test_a_script_reads_its_types_only_to_run_its_job(project: Project, command: str) -> None:
    script = project.root / "once.py"
    script.write_text(
        "import atexit, sys\n"
        "from durably import Step, define_job\n"
        "@define_job\n"
        "def once(step: Step, *, times: int = 1) -> list[int]:\n"
        "    return [step.run('x', int)] * times\n"
        "atexit.register(lambda: print('pydantic' in sys.modules, file=sys.stderr))\n"
        "once.main()\n"
    )

    def last_line(*args: str) -> str:
        done = subprocess.run(
            [sys.executable, script, *args], env=project.env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stderr.splitlines()[-1]

    assert last_line() == "True"
    assert last_line(*command.split()) == "False"


def test_list_loads_no_more_of_durably_than_it_names(one: Project) -> None:
    ours = {name for name in modules_of(one, "list") if name.startswith("durably_cli.")}
    assert ours == {f"durably_cli.{name}" for name in LOADED_BY_LIST.split()}


LOADED_BY_LIST = """
__main__ cli cli.app cli.arguments cli.commands cli.commands.list_ cli.completion cli.document
cli.exits cli.parameters cli.streams engines engines.files_of_run engines.local engines.local.engine
engines.local.runs engines.local.store engines.local.view engines.run_view error_codes errors hints
journal journal.applying journal.blobs journal.carried journal.codec journal.events
journal.fast_codec journal.fold journal.fold_runs journal.fold_steps journal.fold_waits journal.gone
journal.large journal.layout journal.lenient journal.ownership journal.reader journal.received
journal.registry journal.spent journal.state journal.step_events journal.step_names
journal.step_state journal.tail journal.wait_events journal.writer program project project.engine
project.naming project.places project.project_file project.script_files project.settings
project.stores quoting render render.reason render.record render.rows render.step_record
render.timeline render.words system system.clock system.file_systems system.files system.folders
system.garbage system.ids system.locks system.other_threads system.process system.signals values
values.strict_json values.visible version
"""


def test_trigger_in_a_pipe_loads_no_rich_and_no_logging_for_a_job_that_does_not_log(
    one: Project,
) -> None:
    assert not modules_of(one, "trigger", "one") & {"rich", "asyncio", *OF_DBOS}


def test_the_names_of_the_package_are_loaded_when_they_are_asked_for() -> None:
    program = (
        "import sys, durably_cli\n"
        "assert 'durably_cli.project.job' not in sys.modules\n"
        "for name in durably_cli.__all__: getattr(durably_cli, name)\n"
        "assert 'durably_cli.project.job' in sys.modules\n"
        "try: durably_cli.nothing\n"
        "except AttributeError: pass\n"
        "else: raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("args", [("list",), ("inspect", "@last"), ("trigger", "one")])
def test_no_garbage_is_looked_for_among_what_is_loaded(one: Project, args: tuple[str, ...]) -> None:
    looks = "[sum(each['collections'] for each in stats) for stats in (begun, gc.get_stats())]"
    before, after = map(int, at_the_end_of(one, looks, *args))
    assert after - before <= 3
    assert spared_by(one, *args) > 10_000


def test_pydantic_is_spared_too_where_a_job_takes_it(one: Project) -> None:
    assert spared_by(one, "trigger", "one") > 1.3 * spared_by(one, "list")


def spared_by(project: Project, *args: str) -> int:
    """How many objects the collector leaves alone at the end of `durably *args`."""
    (count,) = map(int, at_the_end_of(project, "[gc.get_freeze_count()]", *args))
    return count


def test_what_a_job_makes_is_collected_as_in_any_process(project: Project) -> None:
    project.job(
        """
        import gc

        class Circle:
            def __init__(self) -> None:
                self.me = self

            def __del__(self) -> None:
                effect("taken apart")

        @define_job
        def careless(step: Step, payload: dict) -> tuple[int, int, int]:
            Circle()
            return gc.get_threshold()
        """
    )
    usual = json.dumps(gc.get_threshold(), separators=(",", ":"))
    assert project.run("trigger", "careless").out == f"{usual}\n"
    assert project.effects == ["taken apart"]


@pytest.mark.parametrize("args", [("-i", '{"name":"x"}'), ("--name", "x")])
def test_what_a_job_leaves_open_is_closed_wherever_it_is(
    project: Project, args: tuple[str, ...]
) -> None:
    project.job(
        """
        import helper

        class Input(BaseModel):
            name: str

        own = open("own", "w")
        held = {"file": open("held", "w")}

        @define_job
        def careless(step: Step, payload: Input) -> None:
            global late
            late = open("late", "w")
            for file in own, held["file"], late, helper.file:
                file.write(payload.name)
        """
    )
    (project.root / "helper.py").write_text('file = open("helped", "w")\n')
    project.run("trigger", "careless", *args)
    for name in ("own", "held", "late", "helped"):
        assert (project.root / name).read_text() == "x", name


def test_a_job_that_tunes_the_collector_has_its_way(project: Project) -> None:
    project.job(
        """
        import gc

        gc.set_threshold(12345, 6, 7)

        @define_job
        def tuned(step: Step, payload: dict) -> tuple[int, int, int]:
            return gc.get_threshold()
        """
    )
    assert project.run("trigger", "tuned").out == "[12345,6,7]\n"
