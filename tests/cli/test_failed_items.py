"""What is said of a run whose items have failed: each by its name, and of many the first few."""

from __future__ import annotations

import json

import pytest
from durably import Step

from tests.conftest import Project

ITEMS = """
    import asyncio
    from durably import AsyncStep

    class Input(BaseModel):
        n: int = 2
        on_error: str = "continue"
        wrapped: bool = False

    {async_}def shrink(n: int) -> int:
        if not os.path.exists("mended"):
            raise OSError(f"image file {{n}} is truncated")
        return n

    @define_job
    {async_}def album(step: {Step}, payload: Input) -> list[str]:
        names = [f"{{n}}.png" for n in range(payload.n)]
        try:
            found = {await_}step.map("shrink", shrink, range(payload.n), key=names.__getitem__,
                on_error=payload.on_error)
        except ExceptionGroup as group:
            if payload.wrapped:
                raise RuntimeError("no album today") from group
            raise
        if payload.on_error != "collect":
            return []
        if os.path.exists("killed"):
            os.kill(os.getpid(), 9)
        said = [str(line) for error in found.failed.values() for line in error.__notes__]
        if payload.wrapped:
            found.raise_if_failed()
        return said
"""

KINDS = {
    "threads": {"async_": "", "Step": "Step", "await_": ""},
    "tasks": {"async_": "async ", "Step": "AsyncStep", "await_": "await "},
}


@pytest.fixture(params=KINDS)
def album(project: Project, request: pytest.FixtureRequest) -> Project:
    project.job(ITEMS.format(**KINDS[request.param]), "album")
    return project


def test_each_error_of_a_group_names_its_item(album: Project) -> None:
    failed = album.run("trigger", "album", expect=1)
    lines = [line.strip(" |") for line in failed.err.splitlines()]
    for n in range(2):
        at = lines.index(f"OSError: image file {n} is truncated")
        assert lines[at + 1] == f"in shrink[{n}.png]"
    assert "steps failed:" not in failed.err


def test_what_was_collected_names_its_item_once_also_when_it_is_replayed(album: Project) -> None:
    (album.root / "killed").touch()
    album.run("trigger", "album", "-p", "on_error=collect", expect=-9)
    (album.root / "killed").unlink()
    said = json.loads(album.run("resume", "@last").out)
    assert [line for line in said if line.startswith("in ")] == [
        f"in shrink[{n}.png]" for n in range(2)
    ]
    assert sum(line.startswith("replayed: ") for line in said) == 2


@pytest.mark.parametrize("words", [(), ("-q",)], ids=["aloud", "quiet"])
def test_of_many_failures_the_first_few_are_said_by_name_and_how_to_see_the_others(
    album: Project, words: tuple[str, ...]
) -> None:
    failed = album.run("trigger", "album", "-p", "n:=300", *words, expect=1)
    whole = failed.err if words else failed.err.partition("Exception Group Traceback")[2]
    assert len(whole.splitlines()) < 40
    run = album.inspect()["id"][-8:]
    lines = [line.strip() for line in whole.splitlines()]
    at = lines.index("300 steps failed:")
    firsts = [line.partition(": ")[0] for line in lines[at + 1 : at + 4]]
    assert len({*firsts}) == 3
    assert all(name.startswith("shrink[") for name in firsts)
    assert lines[at + 1].endswith(" is truncated")
    assert lines[at + 4].startswith("and 297 more: ")
    assert lines[at + 4].endswith(f" inspect {run} --all")
    assert "in shrink[" in whole  # the first one has its traceback
    assert "300 of 300 items of 'shrink' failed" in whole
    waited = album.run("wait", "@last", expect=1)
    assert "300 steps failed:" in waited.err
    shown = album.run("inspect", "@last", "--all").out
    assert shown.count("image file 299 is truncated") >= 1


def test_what_a_job_says_of_many_failures_itself_is_said_too(album: Project) -> None:
    failed = album.run("trigger", "album", "-p", "n:=30", "-p", "wrapped:=true", "-q", expect=1)
    assert "RuntimeError: no album today" in failed.err
    assert "30 steps failed:" in failed.err
    assert failed.err.count("Traceback (most recent call last)") < 5
    collected = ("-p", "n:=30", "-p", "wrapped:=true", "-p", "on_error=collect")
    failed = album.run("trigger", "album", *collected, "-q", expect=1)
    assert "30 steps failed:" in failed.err


def test_an_item_that_leaves_the_program_is_named(project: Project) -> None:
    project.job(
        """
        def item(n: int) -> int:
            if n == 3 and not os.path.exists("mended"):
                sys.exit(4)
            effect(str(n))
            return n

        @define_job
        def leaves(step: Step) -> int:
            return sum(step.map("item", item, range(5), concurrency=1))
        """,
        "leaves",
    )
    failed = project.run("trigger", "leaves", expect=1)
    assert "failed in step item[3]\n" in failed.err
    (project.root / "mended").touch()
    assert project.run("resume", "@last").out == "10\n"
    assert project.effects == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("where", ["item", "cause", "context"])
def test_a_module_that_is_not_there_is_explained_wherever_its_error_is(
    project: Project, where: str
) -> None:
    project.job(
        f"""
        def item(n: int) -> int:
            import pillowx
            return n

        @define_job
        def imports(step: Step) -> int:
            if {where == "item"}:
                return sum(step.map("item", item, range(9), on_error="continue"))
            try:
                item(3)
            except ImportError as error:
                raise RuntimeError("no pictures") {"from error" if where == "cause" else ""}
        """,
        "imports",
    )
    failed = project.run("trigger", "imports", expect=1)
    whole = project.inspect()["error"]["traceback"]  # of nine items
    advice = ("install it where durably runs: ", "install what has it where ", "did you mean")
    assert sum(map(failed.err.count, advice)) == sum(map(whole.count, advice)) == 1, failed


def test_an_exception_that_an_item_raises_each_time_names_it_once() -> None:
    always = OSError("the same one")

    def fails(n: int) -> None:
        raise always

    for _ in range(2):
        with pytest.raises(ExceptionGroup):
            Step().map("m", fails, [7])
    assert always.__notes__ == ["in m[7]"]


@pytest.mark.parametrize("again", [(), ("resume", "@last")], ids=["trigger", "a resume of it"])
def test_a_completed_run_with_failed_items_says_how_they_are_executed_in_a_new_one(
    album: Project, again: tuple[str, ...]
) -> None:
    words = again or ("trigger", "album", "-p", "on_error=collect")
    if again:
        album.run("trigger", "album", "-p", "on_error=collect")
    said = album.run(*words).err
    run = album.inspect()["id"][-8:]
    (line,) = (line for line in said.splitlines() if "to execute what failed" in line)
    assert line.endswith(f" fork {run} --redo-failed")
    document = json.loads(album.run("inspect", "@last", "--json").out)
    assert document["next"][0].endswith(f" fork {run} --redo-failed")
    assert document["next"][0] in json.loads(album.run("resume", "@last", "--json").out)["next"]

    (album.root / "mended").touch()
    assert "to execute what failed" not in album.run("fork", "@last", "--redo-failed").err
    assert "fork" not in str(json.loads(album.run("inspect", "@last", "--json").out)["next"])
