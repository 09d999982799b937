"""Job modules of any name, and what they do when they are imported: by whom, they are not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.crash.test_places import check_in_order
from tests.harness import forking
from tests.harness.forking import How
from tests.harness.places import READING, Home


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        yield Home(Path(folder))


MODULES = ("json", "typing", "hashlib", "random", "pydantic", "durably_cli", "store", "__main__")


def test_a_job_module_may_have_any_modules_name(
    project: Project, count: Callable[[int], None]
) -> None:
    for name in MODULES:
        text = """
            import {name}

            @define_job(name="of{name}")
            def job(step: Step, payload: dict) -> str:
                return step.run("x" * 70, str, {name}.__name__)
        """
        project.job(text.format(name=name) if name != "store" else text.format(name="shelve"), name)
    how = How(project.root, project.env)
    for name in ("json", "hashlib", "durably_cli"):
        ended = forking.run(how, "trigger", f"of{name}")
        assert (ended.code, ended.out) == (0, f'"{name}"\n'.encode()), ended
    assert forking.run(how, "jobs").code == 0
    count(len(MODULES))


SHADOWED = (
    *("calendar", "csv", "decimal", "difflib", "email", "hashlib", "html", "json", "logging"),
    *("random", "secrets", "shlex", "statistics", "subprocess", "tempfile", "tomllib", "uuid"),
    *("platformdirs", "pydantic", "rich", "typer", "typing_extensions"),
)


def test_modules_of_the_project_that_shadow_what_durably_needs_stop_no_run(
    project: Project, count: Callable[[int], None]
) -> None:
    project.job(
        """
        import decimal, email.message

        class Input(BaseModel):
            price: decimal.Decimal

        @define_job
        def work(step: Step, payload: Input) -> int:
            return len(step.run("large", lambda: "x" * 70_000))
        """
    )
    for name in SHADOWED:
        (project.root / f"{name}.py").write_text("raise RuntimeError('not the real one')\n")
    for args in (("trigger", "work", "--price", "1.5"), ("jobs", "work"), ("inspect", "@last")):
        project.run(*args)
        for is_terminal in (True, False):
            how = How(project.root, project.env, terminal_out=is_terminal, terminal_err=is_terminal)
            assert forking.run(how, *args).code == 0, args
    project.run("trigger", "wrok", expect=4)
    count(len(SHADOWED))


AT_IMPORT = """
effect("imported")
print("imported")
import threading
threading.Thread(target=lambda: [time.sleep(0.1) for _ in iter(int, 1)]).start()
os.chdir("/")
sys.exit(3)
"""


def test_only_commands_that_run_jobs_import_them(home: Home, count: Callable[[int], None]) -> None:
    home.restore()
    path = home.project.job(AT_IMPORT, "evil")
    words = ("durably trigger ", "durably inspect ", "durably trigger work --")
    completion = {"_DURABLY_COMPLETE": "complete_zsh"}
    try:
        commands = home.commands()
        names = (*READING, "export", "repair", "delete", "prune", "import")
        for name in names:
            check_in_order(home.run(*commands[name]))
        for word in words:
            home.run(env=home.project.env | completion | {"_TYPER_COMPLETE_ARGS": word})
        for args in (("help",), ("help", "cron"), ("--version",), ("--help",), ("adopt", "/x")):
            check_in_order(home.run(*args))
        assert home.project.effects == []
    finally:
        path.unlink()
        home.restore()
    count(len(names) + len(words) + 5)
