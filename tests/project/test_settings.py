"""`[tool.durably]`: what it says, and that what does not fit is said with its file and key."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from durably_cli.errors import ConfigError
from durably_cli.project.settings import Settings, settings_of
from tests.conftest import Project


def given(folder: Path, text: str) -> Settings:
    (folder / "pyproject.toml").write_text(text)
    return settings_of(folder)


def test_what_is_written_is_what_holds(tmp_path: Path) -> None:
    found = given(
        tmp_path,
        """
        [tool.durably]
        capture_logging = "info"
        notify_failure = "  ./notify.sh "
        notify_recovery = "env:ON_RECOVERY"
        keep = "1d12h"
        keep_last = 3
        [tool.durably.ping]
        album = "https://hc-ping.com/x"
        """,
    )
    assert found == Settings(
        capture_logging=20,
        notify_failure="./notify.sh",
        notify_recovery="env:ON_RECOVERY",
        ping={"album": "https://hc-ping.com/x"},
        keep=36 * 3600,
        keep_last=3,
    )
    assert given(tmp_path, 'tool = {durably = {ping = "env:HC"}}').ping == {"": "env:HC"}
    assert given(tmp_path, "[tool]\ndurably.keep_last = 1").keep_last == 1
    assert given(tmp_path, '[tool."durably"]\nkeep_last = 2').keep_last == 2
    assert given(tmp_path, "[tool]\n[tool.durably] # x\n# y\n\nkeep_last = 4").keep_last == 4
    assert given(tmp_path, "[tool.durably]\n\n[project]\nname='x'") == Settings()
    assert given(tmp_path, "[project]\ndependencies = ['durably']") == Settings()


def test_a_change_of_the_file_is_seen(tmp_path: Path) -> None:
    assert given(tmp_path, "[tool.durably]\nkeep_last = 1").keep_last == 1
    assert given(tmp_path, "[tool.durably]\nkeep_last = 22").keep_last == 22
    (tmp_path / "pyproject.toml").unlink()
    assert settings_of(tmp_path) == Settings()


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        (
            'notify_falure = "x"',
            "notify_falure in {} is no setting; did you mean notify_failure",
            "keep",
        ),
        ("kep = 1", "kep in {} is no setting; did you mean keep?", "capture_logging"),
        ("zzz = 1", "zzz in {} is no setting", "notify_recovery"),
        ("notify_failure = 1", "notify_failure in {} is 1, which is no command", "env:NAME"),
        ('notify_recovery = " "', "notify_recovery in {} is ' ', which is no command", "shell"),
        ("notify_failure = ['a', 'b']", "which is no command", "a line for the shell"),
        ("keep = 90", "keep in {} is 90, which is no span of time", '"90d"'),
        ('keep = "90"', "keep in {} is '90', which is no span of time", '"90d"'),
        ('keep = "0d"', "keep in {} is '0d', which is no span of time", '"90d"'),
        ('keep = "soon"', "keep in {} is 'soon', which is no span of time", '"90d"'),
        ('keep = "-1d"', "no span of time", '"90d"'),
        ("keep = true", "no span of time", '"90d"'),
        ("keep_last = 0", "keep_last in {} is 0, which is no number of runs", "20"),
        ("keep_last = true", "keep_last in {} is True, which is no number of runs", "20"),
        ("keep_last = 2.5", "keep_last in {} is 2.5, which is no number of runs", "20"),
        ('keep_last = "5"', "keep_last in {} is '5', which is no number of runs", "20"),
        (
            'ping = "file:///etc/passwd"',
            "ping in {} is what it is, which is no URL of http",
            "hc-ping",
        ),
        ('ping = "https://"', "no URL of http or https", "hc-ping"),
        ("ping = 3", "neither a URL nor a table", "hc-ping"),
        ("ping = {}", "neither a URL nor a table", "hc-ping"),
        ("ping = { album = 3 }", "neither a URL nor a table", "hc-ping"),
        ('capture_logging = "LOUD"', "capture_logging in {} is 'LOUD', which is no level", "DEBUG"),
        ("keep = ", "{} cannot be read: Invalid value", None),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, line: str, said: str, hint: str | None) -> None:
    with pytest.raises(ConfigError) as refused:
        given(tmp_path, f"[tool.durably]\n{line}\n")
    assert said.format(tmp_path / "pyproject.toml") in refused.value.what
    assert hint is None or hint in (refused.value.hint or "")


def test_what_is_no_table_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tool\.durably in .* is 3, which is no table"):
        given(tmp_path, "[tool]\ndurably = 3")


def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        given(tmp_path, '[tool.durably]\nping = "htps://hc-ping.com/s3cret"')
    assert "s3cret" not in f"{refused.value.what} {refused.value.hint}"


def test_who_sets_nothing_does_not_wait_for_toml(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from durably_cli.project.settings import settings_of; "
        "settings_of(Path(sys.argv[1])); print('tomllib' in sys.modules)"
    )
    for text, reads in (
        (
            "[project]\nname = 'x'\ndependencies = ['durably', 'durably>1']\n[tool.durably]\n",
            "False",
        ),
        ("[tool.durably]\nkeep_last = 1\n", "True"),
    ):
        (tmp_path / "pyproject.toml").write_text(text)
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == reads, text


def test_commands_that_execute_or_remove_refuse_what_does_not_fit(project: Project) -> None:
    project.job("@define_job\ndef work(step: Step) -> None: ...\n")
    project.run("trigger", "work")
    (project.root / "pyproject.toml").write_text('[tool.durably]\nkep = "90d"\n')
    for args in (("trigger", "work"), ("resume", "@last"), ("tick",), ("prune",)):
        result = project.run(*args, expect=78)
        assert "did you mean keep?" in result.err, args
    assert len(project.runs()) == 1
    assert "did you mean keep?" in project.run("info").out
    project.run("inspect", "@last")


def test_a_script_has_them_in_its_block(project: Project) -> None:
    script = project.root.parent / "digest.py"
    script.write_text(
        "# /// script\n# [tool.durably]\n# notify_failure = 'cat > notice.json'\n# ///\n"
        "from durably import Step, define_job\n\n@define_job\ndef digest(step: Step) -> None:\n"
        "    raise ValueError('no paper')\n\ndigest.main()\n"
    )
    command = [sys.executable, str(script), "-q"]
    done = subprocess.run(command, cwd=script.parent, env=project.env, capture_output=True)
    assert done.returncode == 1, done
    notice = json.loads((script.parent / "notice.json").read_text())
    assert notice["subject"] == "digest fails: ValueError: no paper"
    script.write_text(script.read_text().replace("notify_failure", "notify_fail"))
    done = subprocess.run(command, cwd=script.parent, env=project.env, capture_output=True)
    assert (done.returncode, b"the block # /// script of" in done.stderr) == (78, True), done
