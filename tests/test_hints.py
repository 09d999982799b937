"""What durably says to type can be pasted: quoted, of this durably, for this project."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import durably_cli
from durably_cli import hints, program
from durably_cli.cli.suggesting import NEVER, NEVER_OPTIONS
from durably_cli.values.visible import visible_lines
from tests.conftest import BIN, Project
from tests.harness.pasting import hint_of, paste

SOURCE = Path(durably_cli.__file__).parent
ODD = "ann's own $(place)"

FAILING = """
    @define_job
    def failing(step: Step, payload: dict) -> str:
        step.run("first", effect, "first")
        if not os.path.exists(os.environ["EFFECTS"] + ".mended"):
            raise RuntimeError("not yet")
        return "done"
"""


@pytest.fixture
def odd(tmp_path: Path) -> Project:
    """A project of which every path must be quoted, with a job that fails until it is mended."""
    (tmp_path / ODD).mkdir()
    project = Project(tmp_path / ODD)
    project.job(FAILING, "failing")
    return project


def mend(project: Project) -> None:
    Path(f"{project.effects_path}.mended").touch()


# Words


@given(st.binary().filter(lambda word: b"\0" not in word))
@example(b"it's")
@example(b"\n\t\x1b[31m\\'!1")
@example(b"\xff\xfe=")
@example("a\u00a0b\u200b'".encode())
def test_a_word_comes_back_from_a_shell_and_is_shown_as_it_is(word: bytes) -> None:
    quoted = hints.quoted(os.fsdecode(word))
    assert visible_lines(quoted) == quoted
    done = subprocess.run(("bash", "-c", f"printf %s {quoted}"), capture_output=True, check=True)
    assert done.stdout == word


def test_a_plain_word_stays_as_it_is_and_an_odd_one_is_quoted() -> None:
    words = ("a/b-c.d", "", "it's", "=ls", "a\nb", "a\0b")
    assert [hints.quoted(word) for word in words] == [
        *("a/b-c.d", "''", """'it'"'"'s'""", "'=ls'", "$'a\\012b'", "$'a\\1340b'")
    ]


# The program


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, which is the working directory, with an environment in it."""
    bin = tmp_path / ".venv" / "bin"
    bin.mkdir(parents=True)
    for name in ("python", "durably"):
        (bin / name).touch()
        (bin / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bin / "python"))
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.delenv("DURABLY_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_program_is_durably_where_that_is_this_one(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, links = installed / ".venv" / "bin" / "durably", installed / "links"
    links.mkdir()
    for folder in (script.parent, links):
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin")
        if folder == links:
            (links / "durably").symlink_to(script)
        assert hints.command("list") == "durably list"
    (links / "durably").unlink()
    (links / "durably").write_text("another")
    (links / "durably").chmod(0o755)
    monkeypatch.setenv("PATH", f"{links}:{script.parent}")
    assert hints.command("list") == ".venv/bin/durably list"


def test_else_it_is_the_path_from_here_or_from_the_root(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = installed / ".venv" / "bin" / "durably"
    assert hints.command("list") == ".venv/bin/durably list"
    assert hints.command_in("new one", "list") == f"cd 'new one' && {script} list"
    monkeypatch.chdir(script.parent)
    assert hints.command("list") == "./durably list"
    monkeypatch.chdir("/")
    assert hints.command("list") == f"{script} list"
    script.unlink()
    program.of_this.cache_clear()
    assert hints.command("list") == f"{script.with_name('python')} -m durably_cli list"


def test_anywhere_means_from_the_root_with_project_and_data_folder(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(installed / ".venv" / "bin"))
    program = installed / ".venv" / "bin" / "durably"
    assert hints.command_anywhere("/a b", "list") == f"{program} -C '/a b' list"
    assert hints.command_anywhere("/a b", "help", "care") == f"{program} help care"
    monkeypatch.setenv("DURABLY_DATA_DIR", "/the data")
    assert (
        hints.command_anywhere("/a", "list") == f"DURABLY_DATA_DIR='/the data' {program} -C /a list"
    )


def test_what_a_job_does_to_its_process_changes_no_hint(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DURABLY_DATA_DIR", "/data")
    hints.called("/srv/a", finds_project=False)
    monkeypatch.chdir("/")
    monkeypatch.setenv("PATH", str(installed / ".venv" / "bin"))
    monkeypatch.setenv("DURABLY_DATA_DIR", "/other")
    assert hints.command("list") == "DURABLY_DATA_DIR=/data .venv/bin/durably -C /srv/a list"


def test_a_job_that_code_of_a_job_triggers_has_its_own_project_in_hints(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hints.called("/srv/a", finds_project=True)
    with hints.in_project("/srv/b", "/data", finds_project=True):
        inside = hints.command("list")
        with hints.of_command_line():
            assert hints.command("list") == ".venv/bin/durably list"
    assert inside == "DURABLY_DATA_DIR=/data .venv/bin/durably -C /srv/b list"
    with hints.in_project("/srv/a", "/data", finds_project=False):
        assert hints.command("list") == "DURABLY_DATA_DIR=/data .venv/bin/durably list"
    assert hints.command("list") == ".venv/bin/durably list"


def test_a_durably_that_is_found_in_this_folder_alone_is_called_by_its_path(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", ".venv/bin:/usr/bin")
    hints.called("/srv/a", finds_project=True)
    monkeypatch.chdir("/")
    assert hints.command("list") == ".venv/bin/durably list"


# Pasted


def test_the_report_of_a_failure_resumes_from_anywhere(odd: Project) -> None:
    args = ("-C", str(odd.root), "trigger", "failing", "-q")
    failed = odd.run(*args, cwd="/", env=odd.env | {"PATH": "/usr/bin:/bin"}, expect=1)
    mend(odd)
    resumed = paste(odd, hint_of(failed), Path("/tmp"), PATH="/usr/bin:/bin", DURABLY_DATA_DIR=None)
    assert (resumed.code, resumed.out) == (0, '"done"\n'), resumed
    assert odd.effects == ["first"]


def test_so_do_all_other_errors_that_are_mailed(odd: Project) -> None:
    odd.job("@define_job\ndef strict(step: Step, payload: int) -> int:\n    return 1\n", "strict")
    env = odd.env | {"PATH": "/usr/bin:/bin", "DURABLY_QUIET": "1"}
    for args, code in (
        (("trigger", "strict", "-i", '"x"'), 65),
        (("trigger", "stric"), 4),
        (("trigger", "stric", "--flag", "x"), 4),
        (("resume", "@last/nope"), 4),
    ):
        refused = odd.run("-C", str(odd.root), *args, cwd="/", env=env, expect=code)
        assert hint_of(refused).startswith("DURABLY_DATA_DIR="), refused
        done = paste(odd, hint_of(refused), Path("/"), PATH="/usr/bin:/bin", DURABLY_DATA_DIR=None)
        assert done.code == 0, (refused, done)


def test_a_hint_names_the_project_where_it_would_not_be_found(odd: Project) -> None:
    elsewhere = odd.root.parent
    failed = odd.run("-C", "project", "trigger", "failing", cwd=elsewhere, expect=1)
    mend(odd)
    assert " durably -C " in hint_of(failed)
    assert paste(odd, hint_of(failed), elsewhere).out == '"done"\n'


def test_it_does_not_where_it_is_found(odd: Project) -> None:
    deep = odd.root / "deep"
    deep.mkdir()
    failed = odd.run("-C", "..", "trigger", "failing", cwd=deep, expect=1)
    assert " durably resume " in hint_of(failed)


def test_it_names_the_project_that_a_variable_named_for_one_call(odd: Project) -> None:
    env = odd.env | {"DURABLY_PROJECT": str(odd.root)}
    failed = odd.run("trigger", "failing", cwd="/", env=env, expect=1)
    mend(odd)
    assert paste(odd, hint_of(failed), Path("/")).out == '"done"\n'


def test_a_working_directory_that_is_gone_fails_no_hint(odd: Project, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"rmdir {gone}; durably -C {hints.quoted(odd.root)} trigger failing"
    failed = paste(odd, command, gone)
    mend(odd)
    assert failed.code == 1, failed
    assert paste(odd, hint_of(failed), tmp_path).out == '"done"\n'


def test_a_run_of_python_says_how_to_resume_it(odd: Project) -> None:
    script = odd.job(FAILING, "failing")
    with script.open("a") as file:
        file.write(
            "if __name__ == '__main__':\n"
            "    try:\n"
            "        failing.trigger({}).output\n"
            "    except Exception as error:\n"
            "        print(error.hint)\n"
        )
    failed = paste(odd, f"{sys.executable} {hints.quoted(script)}", Path("/tmp"))
    mend(odd)
    assert paste(odd, failed.out, Path("/tmp")).out == '"done"\n', failed


def test_a_key_with_an_apostrophe_looks_for_that_and_nothing_else(odd: Project) -> None:
    refused = odd.run("resume", "key:it's; touch oops/k", expect=4)
    done = paste(odd, hint_of(refused), odd.root)
    assert (done.code, done.out) == (0, ""), (refused, done)
    assert not (odd.root / "oops").exists()


def test_a_data_folder_that_others_can_write_is_mended_by_the_hint(odd: Project) -> None:
    odd.data.mkdir(0o777)
    odd.data.chmod(0o777)
    refused = odd.run("list", expect=77)
    assert paste(odd, hint_of(refused), Path("/")).code == 0
    odd.run("list")


def test_a_project_that_was_moved_is_adopted_by_the_hint(odd: Project) -> None:
    odd.run("trigger", "failing", expect=1)
    old, odd.root = odd.root, odd.root.with_name("it's new")
    old.rename(odd.root)
    assert paste(odd, hint_of(odd.run("list", expect=78)), odd.root).code == 0
    assert len(odd.runs()) == 1


@pytest.mark.parametrize("text", ["", "[tool.durably]\n"])
def test_a_folder_without_jobs_is_made_a_project_by_the_hint(
    odd: Project, tmp_path: Path, text: str
) -> None:
    folder = tmp_path / "it's empty"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(text)
    refused = odd.run("-C", str(folder), "jobs", cwd="/", expect=78)
    made = paste(odd, hint_of(refused), Path("/tmp"))
    assert (folder / "jobs" / "hello.py").is_file(), (refused, made)


def test_init_says_how_to_run_what_it_made(odd: Project) -> None:
    made = odd.run("init", "it's new", env=odd.env | {"PATH": "/usr/bin:/bin"})
    done = paste(odd, f"{hint_of(made)} --times 1", odd.root, PATH="/usr/bin:/bin")
    assert done.out == '["1: hello Ann"]\n', (made, done)


@pytest.mark.long
@pytest.mark.parametrize("folder", ["it's new", "."])
def test_init_means_what_it_made_whatever_the_variable_says(odd: Project, folder: str) -> None:
    elsewhere = odd.root.parent / "elsewhere"
    elsewhere.mkdir()
    variables = {"DURABLY_PROJECT": str(odd.root)}
    made = odd.run("init", folder, cwd=elsewhere, env=odd.env | variables)
    done = paste(odd, f"{hint_of(made)} --times 1", elsewhere, **variables)
    assert done.out == '["1: hello Ann"]\n', (made, done)


@pytest.mark.long
def test_init_of_a_folder_that_begins_with_a_hyphen_can_be_pasted(odd: Project) -> None:
    made = odd.run("init", "--", "-new")
    done = paste(odd, f"{hint_of(made)} --times 1", odd.root)
    assert done.out == '["1: hello Ann"]\n', (made, done)


def test_what_verify_finds_is_looked_at_by_the_hint(odd: Project) -> None:
    odd.run("trigger", "failing", expect=1)
    with odd.journal().open("ab") as file:
        file.write(b"junk\n{}\n")
    found = odd.run("verify", expect=74)
    (look,) = re.findall(r"try: (.*)\n +\(shows what is intact\)", found.err)
    assert "failing" in paste(odd, look, odd.root).out


def test_no_project_says_how_to_make_one_here(odd: Project, tmp_path: Path) -> None:
    folder = tmp_path / "it's nothing"
    folder.mkdir()
    env = odd.env | {"PATH": "/usr/bin:/bin"}
    program = (
        sys.executable,
        "-c",
        "import sys; sys.prefix = sys.base_prefix\nfrom durably_cli.__main__ import main; main()",
        "list",
    )
    done = subprocess.run(program, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 78
    command = re.search(r"or make one: (.*)", done.stderr)
    assert command is not None, done
    paste(odd, command[1], Path("/"))
    assert (folder / "jobs").is_dir()


@pytest.mark.long
def test_a_variable_that_one_call_has_is_in_its_hint(odd: Project) -> None:
    own = odd.root.parent / "own"
    share = f"XDG_DATA_HOME={hints.quoted(own / 'share')}"
    for number, variable in enumerate(
        (f"DURABLY_DATA_DIR={hints.quoted(own / 'data')}", share, f"HOME={hints.quoted(own)}")
    ):
        call = f"{variable} durably trigger failing"
        failed = paste(odd, call, odd.root, DURABLY_DATA_DIR=None)
        assert failed.code == 1, failed
        mend(odd)
        resumed = paste(odd, hint_of(failed), odd.root, DURABLY_DATA_DIR=None)
        assert resumed.out == '"done"\n', (variable, failed, resumed)
        assert len(odd.effects) == number + 1
        os.unlink(f"{odd.effects_path}.mended")


def test_a_relative_entry_of_path_that_one_call_has_is_in_its_hint(odd: Project) -> None:
    bin = os.path.relpath(BIN, odd.root)
    plain = {"PATH": "/usr/bin:/bin"}
    failed = paste(
        odd, f"PATH={hints.quoted(bin)}:$PATH durably trigger failing", odd.root, **plain
    )
    mend(odd)
    assert paste(odd, hint_of(failed), odd.root, **plain).out == '"done"\n', failed


def test_a_failed_run_of_another_project_that_a_job_triggered_is_looked_at_there(
    odd: Project, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Project(tmp_path / "other")
    other.job(FAILING, "failing")
    odd.job(
        f"""
        sys.path.insert(0, {str(other.root)!r})
        from jobs.failing import failing

        @define_job
        def outer(step: Step, payload: dict) -> None:
            failing.trigger({{"a": 1}}, idempotency_key="k")
            try:
                failing.trigger({{"a": 2}}, idempotency_key="k")
            except Exception as error:
                print("try:", error.hint)
        """,
        "outer",
    )
    done = odd.run("trigger", "outer")
    looked = paste(odd, hint_of(done), odd.root)
    assert looked.code == 0 and str(other.root) in looked.out, (done, looked)


# All of them


def literals() -> Iterator[tuple[str, ast.AST]]:
    """Every text of the source but docstrings, with where it is."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in docstrings:
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node


def text_of(node: ast.AST) -> str:
    """The text, with a mark for each value in it that is put in as it is."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return VALUE if isinstance(node, ast.FormattedValue) and node.conversion == -1 else "..."


VALUE = "\N{REPLACEMENT CHARACTER}"
"""What stands for a value in a text."""

COMMANDS = (
    "trigger resume wait list inspect logs jobs init info help verify repair delete prune "
    f"export import -C {VALUE}"
)
WRITTEN = re.compile(
    rf"(?<!from )\bdurably ({'|'.join(COMMANDS.split())})(?![a-z])|-m durably_cli \S"
)
QUOTED = re.compile(rf"(^|[\s=])'{VALUE}|(^|\s)(mkdir|chmod|rm|cd|cp|mv|touch) \S*{VALUE}")
BY_HAND = {
    ("cli/app.py", f"durably {VALUE}"),  # the version
    ("cli/usage.py", f"Try '{VALUE} {VALUE}' for help."),  # Typer's words, which are replaced
}


def test_no_command_is_written_by_hand_or_quoted_by_hand() -> None:
    for place, node in literals():
        file, text = place.split(":")[0], text_of(node)
        if file in ("hints.py", "quoting.py") or (file, text) in BY_HAND:
            continue
        if file == "cli/commands/init.py" and "import " in text:  # the job that `init` writes
            continue
        assert not WRITTEN.search(text), f"{place}: {text!r}"
        assert not QUOTED.search(text) or "hints.quoted" in ast.unparse(node), f"{place}: {text!r}"


def test_no_hint_names_what_destroys() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for hint in hints_in(node):
                texts = [text_of(each) for each in ast.walk(hint)]
                words = set(re.findall(r"[\w-]+", " ".join(texts)))
                assert not words & (NOT_ADVISED), f"{path}:{hint.lineno}: {texts}"


NOT_ADVISED = (NEVER | NEVER_OPTIONS | {"rm", "remove"}) - {"--adopt", "import"}
"""What no hint names. A project that has moved, and a run that was imported, are to be adopted."""


def hints_in(node: ast.AST) -> Iterator[ast.expr]:
    """The hint that an error is raised with, or is given; the words of a command that is made."""
    if isinstance(node, ast.keyword) and node.arg == "hint":
        yield node.value
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if "hint" in ast.unparse(target):
                yield node.value
    elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("hints.command"):
        yield node


def test_pip_is_advised_in_one_place() -> None:
    places = {place.split(":")[0] for place, node in literals() if "pip install" in text_of(node)}
    of_durably = "project/engine.py"  # durably's own extra
    assert places == {"project/missing_modules.py", of_durably}
