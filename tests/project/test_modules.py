"""Job modules are imported under the names by which others import them."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from durably_cli.errors import ConfigError, NotFound
from durably_cli.project import discovery
from tests.conftest import BIN, DURABLY, Project, Started
from tests.project.conftest import JOB, write

pytestmark = pytest.mark.usefixtures("interpreters")

IN_OTHER_PROCESSES = """
    import enum, multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    class Colour(enum.Enum):
        RED = "red"

    def same(colour: Colour) -> Colour:
        assert colour is Colour.RED
        return colour

    def in_processes(kind: str) -> int:
        context = multiprocessing.get_context(kind)
        with ProcessPoolExecutor(1, context) as executor, context.Pool(1) as pool:
            assert [executor.submit(same, Colour.RED).result()] == pool.map(same, [Colour.RED])
            assert executor.submit(child.trigger, {}).result().output == 1
        process = context.Process(target=same, args=(Colour.RED,))
        process.start()
        process.join()
        return process.exitcode

    @define_job
    def child(step: Step, payload: dict) -> int:
        return 1

    @define_job
    def work(step: Step, payload: dict) -> int:
        return step.run("it", in_processes, payload["kind"])
"""


@pytest.mark.parametrize(
    ("kind", "program"),
    [("spawn", DURABLY), ("forkserver", (sys.executable, str(BIN / "durably")))],
    ids=["spawn, python -m", "forkserver, durably"],
)
def test_other_processes_find_what_a_job_sends_them(
    project: Project, kind: str, program: tuple[str, ...]
) -> None:
    project.job(IN_OTHER_PROCESSES)
    with Started(
        (*program, "trigger", "work", "-p", f"kind={kind}"),
        cwd=project.root,
        env=project.env,
        text=True,
        stdout=-1,
        stderr=-1,
    ) as process:
        out, err = process.communicate(timeout=120)
    assert out == "0\n", err


SHARED = """
import enum

class Colour(enum.Enum):
    RED = "red"
"""


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("paint.py", "jobs.paint"),
        ("paint/__init__.py", "jobs.paint"),
        ("paint-it.py", "jobs.paint-it"),
    ],
)
@pytest.mark.parametrize("has_init", [True, False])
def test_a_job_module_is_the_one_that_an_import_of_it_gives(
    root: Path, file: str, module: str, has_init: bool
) -> None:
    write(root, "shared.py", SHARED)
    if has_init:
        write(root, "__init__.py", "from .shared import Colour\n")
    dots = ".." if "/" in file else "."
    write(
        root,
        file,
        f"from {dots}shared import Colour\nimport jobs.shared\n"
        "assert jobs.shared.Colour is Colour\n" + JOB.format(name="paint"),
    )
    job = discovery.find_job(root, "paint")
    found = sys.modules[module]
    assert found.job is job
    assert getattr(sys.modules["jobs"], module.partition(".")[2]) is found
    assert pickle.loads(pickle.dumps(found.Colour.RED)) is found.Colour.RED
    assert b"jobs.shared" in pickle.dumps(found.Colour.RED)
    assert pickle.loads(pickle.dumps((job, job.trigger))) == (job, job.trigger)
    assert discovery.find_job(root, "paint") is job


def test_a_module_that_was_imported_before_is_not_imported_again(root: Path) -> None:
    write(root, "one.py", JOB.format(name="one"))
    sys.path.insert(0, str(root))
    sys.modules.pop("jobs", None)
    from jobs.one import job  # type: ignore[import-untyped]

    assert discovery.find_job(root, "one") is job


def test_a_file_that_no_import_can_name_has_its_job_all_the_same(root: Path) -> None:
    write(root, "shared.py", SHARED)
    write(root, "v1.2.py", "from .shared import Colour\n" + JOB.format(name="dotted"))
    write(root, "twice.py", "from .twice import INNER\n" + JOB.format(name="hidden"))
    write(root, "twice/__init__.py", "INNER = 1\n" + JOB.format(name="package"))
    jobs, broken = discovery.load_all(root)
    assert (set(jobs), broken) == ({"dotted", "hidden", "package"}, [])


def test_a_folder_that_loses_against_another_package_says_so_and_how_to_win(
    root: Path, tmp_path: Path
) -> None:
    installed = tmp_path / "site-packages" / "jobs" / "__init__.py"
    installed.parent.mkdir(parents=True)
    installed.write_text("raise AssertionError('it is run')\n")
    write(root, "one.py", JOB.format(name="one"))
    sys.path.append(str(installed.parent.parent))
    for look in (lambda: discovery.find_job(root, "one"), lambda: discovery.load_all(root)):
        with pytest.raises(ConfigError, match=f"finds {installed.parent}, not {root}") as caught:
            look()
        assert caught.value.hint == f"touch {root / 'jobs' / '__init__.py'}"
    write(root, "__init__.py", "")
    assert discovery.find_job(root, "one").name == "one"


def test_the_package_of_another_project_is_not_taken_for_this_ones(root: Path) -> None:
    other = root / "other"
    for project in (root, other):
        (project / "jobs").mkdir(parents=True, exist_ok=True)
        write(project, "__init__.py", "")
        write(project, "one.py", JOB.format(name="one"))
    discovery.find_job(root, "one")
    with pytest.raises(ConfigError, match="it was imported before"):
        discovery.find_job(other, "one")


def test_a_package_that_does_not_import_is_said_once_with_its_line(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init = write(root, "__init__.py", "open('tried', 'a').write('x')\nraise ValueError('no')\n")
    for name in ("one", "two", "three"):
        write(root, f"{name}.py", JOB.format(name=name))
    monkeypatch.chdir(root)
    with pytest.raises(ConfigError, match=f"{init}:2 does not import") as caught:
        discovery.load_all(root)
    assert (root / "tried").read_text() == "x"
    assert "durably_cli" not in caught.value.what
    with pytest.raises(ConfigError, match="ValueError: no"):
        discovery.find_job(root, "two")


def test_the_package_itself_is_no_jobs_module(root: Path) -> None:
    write(root, "__init__.py", JOB.format(name="__init__"))
    with pytest.raises(NotFound):
        discovery.find_job(root, "__init__")
