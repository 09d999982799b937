"""What a shell is offered on Tab, through a real bash and through what zsh and fish ask."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_job_flags import ORDER
from tests.conftest import Project


@pytest.fixture
def shop(project: Project) -> Project:
    project.job(ORDER, "order")
    project.run("jobs")
    project.run("trigger", "order", "--item", "tea")
    project.effects_path.unlink()
    project.job("effect('imported too')\n", "sync_users")
    return project


BIN = Path(sys.executable).parent
"""Where pip has put `durably`."""


def offered(project: Project, line: str) -> list[str]:
    """What bash offers behind this line, with durably's own script loaded."""
    words = line.split(" ")
    env = project.env | {"PATH": f"{BIN}:{project.env['PATH']}"}
    env |= {"_DURABLY_COMPLETE": "source_bash"}
    script = subprocess.run(
        [BIN / "durably"], env=env, cwd=project.root, capture_output=True, text=True
    ).stdout
    del env["_DURABLY_COMPLETE"]
    quoted = " ".join(f"'{word}'" for word in words)
    done = subprocess.run(
        [
            shutil.which("bash") or "bash",
            "--norc",
            "-c",
            f"{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}\n"
            '_durably_completion durably\nprintf "%s\\n" "${COMPREPLY[@]}"',
        ],
        env=env,
        cwd=project.root,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.long
def test_bash_is_offered_commands_jobs_runs_flags_and_topics(shop: Project) -> None:
    run = shop.runs()[0]["id"][-8:]
    for line, expected in (
        ("durably tr", ["trigger"]),
        ("durably trigger ", ["number", "order", "sync-users"]),
        ("durably trigger or", ["order"]),
        ("durably jobs or", ["order"]),
        ("durably list --job n", ["number"]),
        ("durably list --status fa", ["failed"]),
        ("durably resume ", [run, "@last", "@failed"]),
        (f"durably inspect {run[:2]}", [run]),
        ("durably logs @f", ["@failed"]),
        ("durably help c", ["cron", "care"]),
        ("durably trigger order --it", ["--item"]),
        ("durably trigger order --no-g", ["--no-gift"]),
        ("durably trigger sync-users --ite", []),
    ):
        assert offered(shop, line) == expected, line
    assert shop.effects == [], "no job is imported"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_zsh_and_fish_are_told_what_each_means(shop: Project, shell: str) -> None:
    env = shop.env | {
        "_DURABLY_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "durably resume ",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run([BIN / "durably"], env=env, cwd=shop.root, capture_output=True, text=True)
    assert shop.runs()[0]["id"][-8:] in done.stdout
    assert "order, " in done.stdout
    assert " ago" in done.stdout


def test_without_a_project_or_with_a_broken_cache_nothing_is_offered_and_nothing_said(
    shop: Project, tmp_path: Path
) -> None:
    for cached in shop.cache.iterdir():
        cached.write_text('{"order": 5}')
    assert offered(shop, "durably trigger or") == ["order"]
    shop.env["DURABLY_PROJECT"] = str(tmp_path / "nowhere")
    assert offered(shop, "durably trigger ") == []


def test_completion_loads_no_pydantic_no_rich_and_no_engine(shop: Project) -> None:
    program = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "sys.argv[0] = 'durably'\n"
        "from durably_cli.__main__ import main\n"
        "main()\n"
    )
    env = shop.env | {
        "_DURABLY_COMPLETE": "complete_bash",
        "COMP_WORDS": "durably trigger order --",
        "COMP_CWORD": "3",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, cwd=shop.root, capture_output=True, text=True
    )
    assert "--item" in done.stdout.split()
    loaded = set(done.stderr.split())
    assert not loaded & {
        "pydantic",
        "rich",
        "asyncio",
        "durably_cli.project.job",
        "durably_cli.engines.local.trigger",
    }


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"_DURABLY_COMPLETE": "complete_bash"}, 2),
        ({"_DURABLY_COMPLETE": "complete_bash", "COMP_WORDS": "durably tr"}, 2),
        ({"_DURABLY_COMPLETE": "complete_bash", "COMP_WORDS": "", "COMP_CWORD": "-1"}, 2),
        ({"_DURABLY_COMPLETE": "complete_bash", "COMP_WORDS": "", "COMP_CWORD": "9"}, 0),
        ({"_DURABLY_COMPLETE": "complete_tcsh"}, 2),
        ({"_DURABLY_COMPLETE": "yes"}, 2),
        *(({"_DURABLY_COMPLETE": f"complete_{shell}"}, 0) for shell in ("zsh", "fish", "pwsh")),
    ],
)
def test_what_no_shell_asks_is_a_usage_error(
    project: Project, asked: dict[str, str], code: int
) -> None:
    # as `durably`: by another name, the variable has another one
    done = subprocess.run(
        [BIN / "durably"], env=project.env | asked, cwd=project.root, capture_output=True, text=True
    )
    assert done.returncode == code, done
    assert done.stderr.endswith(
        " durably --help\n     (says how completion is installed)\n" * (code > 0)
    )


def test_the_script_is_that_of_the_named_shell_whichever_has_called(project: Project) -> None:
    for shell, word in (("bash", "COMPREPLY"), ("zsh", "#compdef"), ("fish", "complete --command")):
        assert word in project.run("--show-completion", shell).out
    refused = project.run("--show-completion", "tcsh", expect=2)
    assert "it is for bash, zsh, fish" in refused.err
