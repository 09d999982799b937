"""What a job says through `logging` and `warnings` is in its run's log, and shown as it was."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import subprocess
import sys
from typing import Any

import pytest

from durably_cli.journal.events import PRINTED, LogWritten
from durably_cli.journal.masking import Secrets
from durably_cli.steps.listening import _Lowered
from tests.conftest import Project

SAYS = """
import logging, multiprocessing, threading, warnings
from durably_cli import Secret

log = logging.getLogger("billing.mail")
log.error("at the import")

class Input(BaseModel):
    token: Secret

class Odd:
    def __str__(self):
        raise OSError("no text")

def careful(token):
    log.warning("careful with %s", token)
    log.info("too low")
    log.error("%d", "no number")
    log.error(Odd())
    warnings.warn("old " + token)
    try:
        raise OSError(token)
    except OSError:
        log.exception("broken")
    thread = threading.Thread(target=logging.getLogger().critical, args=("in a thread",))
    thread.start()
    thread.join()
    child = multiprocessing.get_context("fork").Process(target=log.error, args=("in a child",))
    child.start()
    child.join()
    quiet = logging.getLogger("quiet")
    quiet.propagate = False
    quiet.error("goes nowhere")

@define_job
def says(step: Step, payload: Input) -> None:
    step.run("one", careful, payload.token.get_secret_value())
    step.log.error("mine")
    logging.disable(logging.CRITICAL)
    log.error("disabled")
    logging.disable(logging.NOTSET)
    log.error("last")
"""


def logs(project: Project, *args: str) -> list[dict[str, Any]]:
    """The lines of the last run's log but those that were printed."""
    lines = map(json.loads, project.run("logs", "@last", "--json", *args).out.splitlines())
    return [line for line in lines if line["source"] not in PRINTED]


def test_records_and_warnings_are_logged_by_step_and_masked_and_shown_as_they_were(
    project: Project,
) -> None:
    project.job(SAYS)
    env = project.env | {"TOKEN": "hunter2hunter2"}
    done = project.run("trigger", "says", "--token", "env:TOKEN", env=env)
    for line in (
        "at the import",
        "careful with hunter2hunter2",
        "in a thread",
        "in a child",
        "last",
    ):
        assert done.err.splitlines().count(line) == 1, done.err
    assert "UserWarning: old hunter2hunter2\n" in done.err
    assert "goes nowhere" in done.err, "by logging's last resort"
    found = logs(project)
    assert found[3]["data"].pop("line") > 0
    assert found[3]["data"].pop("file").endswith("jobs/work.py")
    assert found[4]["data"].pop("traceback").endswith("OSError: **********")
    assert [(each["level"], each["message"], each["step"], each["source"]) for each in found] == [
        ("warn", "careful with **********", "one", "billing.mail"),
        ("error", "%d ('no number',)", "one", "billing.mail"),
        ("error", "<a Odd whose text fails> ()", "one", "billing.mail"),
        ("warn", "UserWarning: old **********", "one", "py.warnings"),
        ("error", "broken", "one", "billing.mail"),
        ("error", "in a thread", "one", "root"),
        ("error", "mine", None, None),
        ("error", "last", None, "billing.mail"),
    ]
    assert all(each["data"] == {} for each in found)


def run_program(project: Project) -> subprocess.CompletedProcess[str]:
    """Run the file program.py of the project."""
    return subprocess.run(
        [sys.executable, "program.py"],
        cwd=project.root,
        env=project.env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("setting", "logged", "is_imported_late"),
    [
        ("", ["w"], True),
        ('capture_logging = "INFO"', ["i", "w"], False),
        ('capture_logging = "debug"', ["d", "i", "w"], True),
        ('capture_logging = "ERROR"', [], False),
        ("capture_logging = false", [], False),
    ],
)
def test_the_level_is_set_in_pyproject_and_shows_no_more_than_before(
    project: Project, setting: str, logged: list[str], is_imported_late: bool
) -> None:
    project.starts_interpreters = is_imported_late  # a fork has it already
    project.job(
        f"""
        {"" if is_imported_late else "import logging"}

        def says():
            import logging
            logging.getLogger("a").debug("d")
            logging.getLogger("a").info("i")
            logging.getLogger("a").warning("w")

        @define_job
        def work(step: Step) -> None:
            step.run("one", says)
        """
    )
    (project.root / "pyproject.toml").write_text(f"[tool.durably]\n{setting}\n")
    said = project.run("trigger", "work").err.splitlines()
    assert [line for line in said if len(line) == 1] == ["w"]
    assert [each["message"] for each in logs(project)] == logged


def test_a_lower_level_shows_nothing_more_by_whatever_way_a_record_goes(project: Project) -> None:
    project.job(
        """
        import logging
        logging.basicConfig(format="%(message)s")
        own = logging.getLogger("own")
        own.propagate = False
        own.addHandler(logging.StreamHandler())

        @define_job
        def work(step: Step) -> None:
            logging.getLogger("a").info("to the root")
            own.info("to a handler of its own")
            step.log.info("by step.log")
            if pid := os.fork():
                os.waitpid(pid, 0)
            else:
                logging.getLogger("a").info("in a child")
                os._exit(0)
        """
    )
    (project.root / "pyproject.toml").write_text('[tool.durably]\ncapture_logging = "INFO"\n')
    shown = project.run("trigger", "work").err.splitlines()
    assert len(shown) == 2, shown  # durably's own
    assert [each["message"] for each in logs(project)] == ["to the root", "by step.log"]


@pytest.mark.parametrize("value", ['"LOUD"', "true", "20", '["INFO"]', "INFO"])
def test_a_setting_that_is_none_is_an_error_before_there_is_a_run(
    project: Project, value: str
) -> None:
    project.job("@define_job\ndef work(step: Step) -> None:\n    pass\n")
    (project.root / "pyproject.toml").write_text(f"[tool.durably]\ncapture_logging = {value}\n")
    refused = project.run("trigger", "work", expect=78)
    assert "pyproject.toml" in refused.err
    assert project.runs() == []


def test_a_program_that_triggers_a_job_has_its_logging_back_as_it_was(project: Project) -> None:
    project.job(
        """
        import logging

        def says():
            logging.getLogger("job").info("low")
            logging.getLogger("job").warning("heard")
            logging.captureWarnings(True)
            logging.captureWarnings(False)

        @define_job
        def inner(step: Step) -> None:
            logging.warning("of the inner one")

        @define_job
        def work(step: Step) -> None:
            inner.trigger()
            step.run("one", says)
        """
    )
    (project.root / "pyproject.toml").write_text('[tool.durably]\ncapture_logging = "DEBUG"\n')
    (project.root / "program.py").write_text(
        """
import logging, sys, threading, time, warnings
from jobs.work import work

class Handler(logging.Handler):
    def emit(self, record):
        print(record.getMessage())

others, ends = logging.getLogger("others"), threading.Event()
def of_others():
    while not ends.wait(0.001):
        others.error("not of a run")
logging.getLogger("job").addHandler(Handler())
logging.getLogger().addHandler(logging.NullHandler())
thread = threading.Thread(target=of_others)
thread.start()
def seen():
    listened_to = logging.Logger.callHandlers, warnings.showwarning, threading.Thread.start
    return logging.root.level, sys.meta_path[:], listened_to
before = seen()
assert work.trigger().status == "completed"
after = seen()
assert before == after and type(after[0]) is int, (before, after)
ends.set()
thread.join()
logging.getLogger("job").warning("behind the end")
"""
    )
    done = run_program(project)
    assert (done.returncode, done.stdout) == (0, "heard\nbehind the end\n"), done.stderr
    for job, heard in ("work", ["low", "heard"]), ("inner", ["of the inner one"]):
        lines = project.run("logs", f"@last/{job}").out.splitlines()
        assert [line.split("\t")[3] for line in lines] == heard


def test_runs_at_once_have_each_what_their_code_says_and_nothing_of_others(
    project: Project,
) -> None:
    project.job(
        """
        import logging, threading
        from concurrent.futures import ThreadPoolExecutor

        meet, log = threading.Barrier(3), logging.getLogger("a")

        class Input(BaseModel):
            name: str

        def says(name):
            meet.wait()
            meet.wait()
            log.info(name)
            thread = threading.Thread(target=log.warning, args=(f"started by {name}",))
            thread.start()
            thread.join()
            with ThreadPoolExecutor() as pool:
                pool.submit(log.error, f"pooled by {name}").result()

        @define_job
        def work(step: Step, payload: Input) -> None:
            step.run("one", says, payload.name)
        """
    )
    (project.root / "pyproject.toml").write_text('[tool.durably]\ncapture_logging = "INFO"\n')
    (project.root / "program.py").write_text(
        """
import logging, threading
from jobs.work import Input, log, meet, work

def other():
    log.info("of another request")
    log.warning("of another one")

logging.basicConfig(format="%(message)s")
runs = [threading.Thread(target=work.trigger, args=(Input(name=name),)) for name in "ab"]
for run in runs:
    run.start()
meet.wait()
thread = threading.Thread(target=other)
thread.start()
thread.join()
meet.wait()
for run in runs:
    run.join()
"""
    )
    done = run_program(project)
    said = {name: [f"started by {name}", f"pooled by {name}"] for name in "ab"}
    assert sorted(done.stderr.splitlines()) == sorted(["of another one", *said["a"], *said["b"]])
    found = [
        [line.split("\t")[3] for line in project.run("logs", run["id"]).out.splitlines()]
        for run in project.runs()
    ]
    assert sorted(found) == [[name, *said[name]] for name in "ab"]


def test_a_forked_child_listens_although_another_thread_was_about_to(project: Project) -> None:
    project.job(
        """
        import logging

        @define_job
        def work(step: Step) -> None:
            logging.getLogger("a").info("process %d", os.getpid())
        """
    )
    (project.root / "pyproject.toml").write_text('[tool.durably]\ncapture_logging = "INFO"\n')
    (project.root / "program.py").write_text(
        """
import logging, os, signal, threading
from jobs.work import work

about_to, goes_on = threading.Event(), threading.Event()

class Waits(int):
    def __gt__(self, other):  # the level that a run's is compared with
        if threading.current_thread() is thread:
            about_to.set()
            goes_on.wait()
        return int(self) > other

thread = threading.Thread(target=work.trigger)
logging.root.level = Waits(logging.WARNING)
thread.start()
about_to.wait()
if pid := os.fork():
    _, status = os.waitpid(pid, 0)
    goes_on.set()
    thread.join()
    print(pid, os.getpid(), status)
else:
    signal.alarm(20)
    before = logging.Logger.callHandlers
    work.trigger()
    assert logging.Logger.callHandlers is before
"""
    )
    child, parent, status = run_program(project).stdout.split()
    assert status == "0"
    found = [project.run("logs", run["id"]).out.split("\t")[3].strip() for run in project.runs()]
    assert sorted(found) == sorted([f"process {child}", f"process {parent}"])


def test_a_line_that_cannot_be_logged_is_counted_and_the_next_ones_are_logged(
    project: Project,
) -> None:
    project.job(
        """
        import logging, sys

        def deep():
            logging.getLogger("a").warning("deep")
            deep()

        @define_job
        def work(step: Step) -> None:
            logging.getLogger().addHandler(logging.NullHandler())
            sys.setrecursionlimit(300)
            try:
                deep()
            except RecursionError:
                sys.setrecursionlimit(1000)
            logging.getLogger("a").warning("behind it")
        """
    )
    project.run("trigger", "work")
    *_, behind, last = [each["message"] for each in logs(project)]
    assert behind == "behind it"
    assert last.endswith("more than a run's log takes were left out")


def test_a_journal_that_is_lost_is_the_error_and_what_logs_goes_on(project: Project) -> None:
    project.job(
        """
        import logging, pathlib

        def loses(path):
            os.unlink(path)
            for n in range(3):
                logging.getLogger("a").warning("%d", n)
            effect("went on")

        @define_job
        def work(step: Step, payload: dict) -> None:
            (path,) = pathlib.Path(os.environ["DURABLY_DATA_DIR"]).rglob(step.run_id + ".jsonl")
            step.run("one", loses, path)
        """
    )
    lost = project.run("trigger", "work", expect=74)
    assert "was removed or replaced" in lost.err
    assert "\n0\n1\n2\n" in lost.err
    assert project.effects == ["went on"]


def test_more_than_a_log_takes_is_counted_and_left_out(project: Project) -> None:
    project.job(
        """
        import logging
        from durably_cli.steps import capture
        capture.LINES, capture.CHARACTERS = 3, 100

        @define_job
        def work(step: Step) -> None:
            logging.getLogger().addHandler(logging.NullHandler())
            logging.warning("longer" * 20)
            for _ in range(2):
                logging.warning("short" * 15)
            for n in range(5):
                logging.warning("%d", n)
        """
    )
    project.run("trigger", "work")
    last = "5 records more than a run's log takes were left out"
    assert [each["message"] for each in logs(project)] == ["short" * 15, "0", "1", last]


def test_whatever_a_thread_or_a_finalizer_logs_and_whenever_no_run_fails_of_it(
    project: Project,
) -> None:
    project.job(
        """
        import logging, threading

        class Careless:
            def __del__(self):
                logging.warning("taken apart")

        def makes():
            for _ in range(200):
                one = Careless()
                one.me = one

        def goes_on():
            while True:
                logging.warning("goes on")

        @define_job
        def work(step: Step) -> int:
            logging.getLogger().addHandler(logging.NullHandler())
            threading.Thread(target=goes_on, daemon=True).start()
            for n in range(50):
                step.run(f"one-{n}", makes)
            return 1
        """
    )
    assert project.run("trigger", "work").out == "1\n"
    assert {each["message"] for each in logs(project)} >= {"taken apart", "goes on"}


def test_the_level_that_makes_records_for_the_log_is_the_usual_one_elsewhere() -> None:
    """In a process that is given it, or in a copy of a configuration."""
    level = _Lowered(logging.INFO, logging.WARNING)
    assert pickle.loads(pickle.dumps(level)) == copy.copy(level) == logging.WARNING
    assert type(copy.deepcopy(level)) is int


def test_a_secret_in_the_name_of_a_logger_is_masked() -> None:
    line = LogWritten("warn", "hi", "2026-11-27T00:00:00.000Z", source="client.hunter2-secret")
    masked = Secrets({"token": "hunter2-secret"}).masked(line)
    assert isinstance(masked, LogWritten)
    assert masked.source == "client.**********"
