"""What a resume does with a step that was begun and left no result."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from durably_cli import File, Step, StepMisused
from durably_cli.__main__ import main
from durably_cli.values.strict_json import Json
from tests.conftest import Project
from tests.harness import forking
from tests.harness.forking import How
from tests.harness.system_calls import calls_in, watch

PAY = """
import signal
from durably_cli import NotDone, Retry

def charge(cents: int) -> str:
    effect(f"charged {cents}")
    if os.path.exists("kill"):
        os.unlink("kill")
        os.kill(os.getpid(), signal.SIGKILL)
    return f"receipt {cents}"

def look(cents: int) -> str:
    effect(f"looked {cents}")
    if os.path.exists("cannot look"):
        raise OSError("no network")
    if not os.path.exists("found"):
        raise NotDone
    return f"found {cents}"

@define_job
def pay(step: Step) -> str:
    try:
        return step.run("charge", charge, 300, in_doubt=HOW)
    except Exception:
        return step.run("fallback", effect, "fallback")
    finally:
        if os.path.exists("tidy"):
            step.run("tidy", effect, "tidied")
"""


@pytest.fixture
def pay(project: Project, request: pytest.FixtureRequest) -> Project:
    """A run of `pay` that was killed in its step."""
    project.job(PAY.replace("HOW", request.param), "pay")
    (project.root / "kill").touch()
    project.run("trigger", "pay", expect=-9)
    return project


def events(project: Project) -> list[dict[str, object]]:
    return [
        json.loads(line)
        for line in project.run("inspect", "@last", "--events").out.split("\n")
        if line
    ]


@pytest.mark.parametrize("pay", ["'again'"], indirect=True)
def test_by_default_it_is_called_again(pay: Project) -> None:
    assert pay.run("resume", "@last").out == '"receipt 300"\n'
    assert pay.effects == ["charged 300"] * 2


@pytest.mark.parametrize("pay", ["'stop'"], indirect=True)
def test_one_that_stops_is_never_called_unasked_and_nothing_is_done_in_its_place(
    pay: Project,
) -> None:
    (pay.root / "tidy").touch()
    for attempt in range(2, 4):
        failed = pay.run("resume", "@last", expect=1)
        assert (
            "step 'charge' was in flight when the run stopped: it may have happened" in failed.err
        )
        assert "in step charge" in failed.err
        run = pay.inspect()
        assert (run["status"], len(run["attempts"])) == ("failed", attempt)
        assert (run["in_doubt"], run["undecided"], run["causes"]) == (["charge"],) * 3
    assert pay.effects == ["charged 300"]


@pytest.mark.parametrize("pay", ["'stop'"], indirect=True)
def test_what_to_type_is_said_everywhere_and_works_as_it_is_pasted(pay: Project) -> None:
    run = pay.runs()[0]["id"][-8:]
    ways = [f"resume {run} --done charge", f"resume {run} --redo charge"]
    said = (
        pay.run("resume", "@last", expect=1).err,
        pay.run("resume", "@last", "-q", expect=1).err,
        pay.run("wait", "@last", expect=1).err,
        "\n".join(json.loads(pay.run("inspect", "@last", "--json").out)["next"]),
    )
    for text in said:
        assert [way in text for way in ways] == [True, True], text
    assert "in doubt" in pay.run("inspect", "@last").out
    command = next(line for line in said[3].split("\n") if "--redo" in line)
    words = shlex.split(command)
    assert pay.run(*words[words.index("resume") :]).out == '"receipt 300"\n'
    assert pay.effects == ["charged 300"] * 2


@pytest.mark.parametrize("pay", ["'again'"], indirect=True)
def test_one_that_stops_only_since_it_was_begun_can_be_decided_as_well(pay: Project) -> None:
    job = pay.root / "jobs" / "pay.py"
    job.write_text(job.read_text().replace("in_doubt='again'", "in_doubt='stop'"))
    failed = pay.run("resume", "@last", expect=1)
    assert "--done charge" in failed.err
    assert pay.inspect()["undecided"] == ["charge"]
    assert pay.run("resume", "@last", "--done", "charge", "--result", '"it"').out == '"it"\n'
    assert pay.effects == ["charged 300"]


@pytest.mark.parametrize("pay", ["'stop'"], indirect=True)
def test_who_waits_for_it_is_told_both_commands_each_in_a_line_of_its_own(pay: Project) -> None:
    pay.run("resume", "@last", expect=1)
    said = pay.run("wait", "@last", expect=1).err
    assert "\\n" not in said
    command = next(line for line in said.split("\n") if "--redo" in line)
    words = shlex.split(command)
    assert pay.run(*words[words.index("resume") :]).out == '"receipt 300"\n'


@pytest.mark.parametrize("pay", ["'stop'"], indirect=True)
def test_nobody_is_asked_about_a_step_of_a_run_that_was_cancelled(pay: Project) -> None:
    pay.run("cancel", "@last")
    assert pay.inspect()["undecided"] == []
    for command in ("list", "inspect @last", "inspect @last --json", "list --json"):
        told = pay.run(*command.split())
        assert "--redo" not in told.out + told.err, command


@pytest.mark.parametrize("pay", ["'stop'"], indirect=True)
def test_a_person_says_that_it_was_done_and_what_it_gave(pay: Project) -> None:
    done = pay.run("resume", "@last", "--done", "charge", "--result", '"receipt 7"')
    assert done.out == '"receipt 7"\n'
    assert "marked as done: charge" in done.err
    assert pay.effects == ["charged 300"]
    (marked,) = (each for each in events(pay) if each["type"] == "step.marked-done")
    assert (marked["name"], marked["result"], bool(marked["by"])) == ("charge", "receipt 7", True)
    assert pay.run("resume", "@last").out == '"receipt 7"\n'


@pytest.mark.parametrize("pay", ["'stop'"], indirect=True)
def test_a_result_that_does_not_fit_is_refused_and_another_one_can_be_given(pay: Project) -> None:
    for words in (["--result", "7"], []):
        bad = pay.run("resume", "@last", "--done", "charge", *words, expect=1)
        assert "has given for step 'charge' does not fit" in bad.err
        assert "--done charge" in bad.err
        assert pay.inspect()["undecided"] == ["charge"]
        assert "refused" in pay.run("resume", "@last", "--dry-run").out
    assert pay.run("resume", "@last", expect=1).err.count("does not fit")
    pay.run("resume", "@last", "--done", "charge", "--result", "{", expect=65)
    assert pay.run("resume", "@last", "--done", "charge", "--result", '"ok"').out == '"ok"\n'
    assert pay.effects == ["charged 300"]


@pytest.mark.parametrize("pay", ["'stop'"], indirect=True)
def test_what_was_decided_holds_though_the_attempt_is_killed_before_the_step(pay: Project) -> None:
    path = pay.root / "jobs" / "pay.py"
    text = path.read_text()
    path.write_text(
        text.replace("    try:", "    os.path.exists('die') and os.kill(os.getpid(), 9)\n    try:")
    )
    (pay.root / "die").touch()
    pay.run("resume", "@last", "--done", "charge", "--result", '"it"', expect=-9)
    (pay.root / "die").unlink()
    assert pay.inspect()["checkpoints"][0]["status"] == "marked done"
    assert pay.run("resume", "@last").out == '"it"\n'
    assert pay.effects == ["charged 300"]


@pytest.mark.parametrize("pay", ["look"], indirect=True)
@pytest.mark.parametrize(
    ("there", "out", "effects"),
    [
        ("found", '"found 300"\n', ["charged 300", "looked 300"]),
        ("nothing", '"receipt 300"\n', ["charged 300", "looked 300", "charged 300"]),
    ],
)
def test_a_function_looks_and_is_believed(
    pay: Project, there: str, out: str, effects: list[str]
) -> None:
    (pay.root / there).touch()
    resumed = pay.run("resume", "@last")
    assert resumed.out == out
    said = "had happened: what looks for it has found a result"
    assert f"step charge {said if there == 'found' else 'is called again'}" in resumed.err
    assert pay.effects == effects


@pytest.mark.parametrize("pay", ["look"], indirect=True)
def test_a_look_that_fails_leaves_it_in_doubt_and_nothing_is_done_in_its_place(
    pay: Project,
) -> None:
    (pay.root / "cannot look").touch()
    failed = pay.run("resume", "@last", expect=1)
    assert "what looks for that has failed: OSError: no network" in failed.err
    assert pay.inspect()["in_doubt"] == ["charge"]
    (pay.root / "cannot look").unlink()
    (pay.root / "found").touch()
    assert pay.run("resume", "@last").out == '"found 300"\n'
    assert pay.effects == ["charged 300", "looked 300", "looked 300"]


@pytest.mark.parametrize("pay", ["lambda cents: 7"], indirect=True)
def test_what_a_look_returns_must_fit_the_step(pay: Project) -> None:
    assert "what looks for that has failed" in pay.run("resume", "@last", expect=1).err
    assert pay.effects == ["charged 300"]


def test_a_first_call_is_not_looked_for(project: Project) -> None:
    project.job(PAY.replace("HOW", "look"), "pay")
    project.run("trigger", "pay")
    assert project.effects == ["charged 300"]


@pytest.mark.parametrize("how", ["'stop'", "look"])
def test_its_begin_is_on_disk_before_the_function_is_called(project: Project, how: str) -> None:
    project.job(PAY.replace("HOW", how), "pay")
    (project.root / "kill").touch()
    project.run("trigger", "pay", expect=-9)
    last = events(project)[-1]
    word = "stop" if "stop" in how else "look"
    assert (last["type"], last["name"], last["in_doubt"]) == ("step.entered", "charge", word)


@pytest.mark.parametrize("how", ["'stop'", "look"])
def test_no_power_cut_forgets_that_it_was_begun(project: Project, how: str) -> None:
    project.job(PAY.replace("HOW", how), "pay")
    log = project.root / "calls"

    def act() -> None:
        sys.argv = ["durably", "trigger", "pay"]
        watch(log)
        main()

    forking.call(How(project.root, project.env), act)
    calls = calls_in(log)
    began = next(call.number for call in calls if call.event == "step.entered charge")
    called = next(call.number for call in calls if call.data.startswith("charged"))
    journal = calls[began - 1].file
    assert (journal, "fdatasync") in [(call.file, call.name) for call in calls[began:called]]


@pytest.mark.parametrize(
    ("in_doubt", "code", "out"),
    [
        ("'stop'", 1, ""),
        ("lambda command: sh(['echo', command[1], 'again'])", 0, '"-c again\\n"\n'),
    ],
)
def test_a_program_may_say_it_too(project: Project, in_doubt: str, code: int, out: str) -> None:
    project.job(
        f"""
        from durably_cli import sh

        RUN = "echo ran >> ../effects; test -e kill && rm kill && kill -9 $OWNER && sleep 9; true"

        @define_job
        def program(step: Step) -> str:
            os.environ["OWNER"] = str(os.getpid())
            return step.sh("ran", ["sh", "-c", RUN], in_doubt={in_doubt}).stdout
        """,
        "program",
    )
    (project.root / "kill").touch()
    project.run("trigger", "program", expect=-9)
    again = project.run("resume", "@last", "--kill-leftovers", expect=code)
    assert (project.effects, again.out) == (["ran"], out)
    assert project.inspect()["undecided"] == (["ran"] if code else [])


@pytest.mark.parametrize("in_doubt", ["perhaps", None, True, 3])
def test_what_is_no_way_is_refused(in_doubt: object) -> None:
    with pytest.raises(StepMisused, match="'again', 'stop', or a function that looks"):
        Step().run("charge", int, in_doubt=in_doubt)  # type: ignore[call-overload]


def test_stop_and_several_tries_exclude_each_other() -> None:
    with pytest.raises(StepMisused, match="in_doubt='stop' and several tries exclude each other"):
        Step().run("charge", int, in_doubt="stop", tries=2)
    assert Step().run("charge", int, in_doubt="stop", tries=1) == 0
    assert Step().run("charge", int, in_doubt=lambda: 1, tries=2) == 0


@pytest.mark.parametrize("pay", ["'stop'"], indirect=True)
@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["--done", "charg"], 4, "no step 'charg'; did you mean charge?"),
        (["--redo", "chrge"], 4, "no step 'chrge'; did you mean charge?"),
        (["--done", "charge", "--redo", "charge"], 2, "is given with --redo and with --done"),
        (["--done", "charge", "--result", "1", "--result", "2"], 2, "--result 2 times"),
        (["--result", "1"], 2, "--result 1 time"),
        (["--only"], 2, "--only says nothing without --redo"),
    ],
)
def test_what_cannot_be_decided_changes_nothing(
    pay: Project, words: list[str], code: int, why: str
) -> None:
    before = pay.journal().read_bytes()
    assert why in pay.run("resume", "@last", *words, expect=code).err
    assert pay.journal().read_bytes() == before


def test_a_step_that_has_failed_may_have_been_done_by_hand(project: Project) -> None:
    project.job(
        """
        def refused() -> int:
            raise OSError("refused")

        @define_job
        def by_hand(step: Step) -> int:
            return step.run("one", refused)
        """,
        "by_hand",
    )
    project.run("trigger", "by-hand", expect=1)
    assert project.run("resume", "@last", "--done", "one", "--result", "5").out == "5\n"


def test_a_step_that_has_completed_is_not_marked_as_done(project: Project) -> None:
    project.job(
        """
        @define_job
        def half(step: Step) -> None:
            step.run("one", int)
            raise ValueError
        """,
        "half",
    )
    project.run("trigger", "half", expect=1)
    refused = project.run("resume", "@last", "--done", "one", expect=2).err
    assert "has completed, and has a result" in refused
    assert "--redo one" in refused


STANDS_IN = """
def card() -> str:
    effect("card")
    if not os.path.exists("mended"):
        raise OSError("declined")
    return "card"

def invoice() -> str:
    effect("invoice")
    if os.path.exists("kill"):
        os.unlink("kill")
        os.kill(os.getpid(), 9)
    return "invoice"

@define_job
def pay(step: Step) -> str:
    try:
        return step.run("card", card)
    except OSError:
        return step.run("invoice", invoice, in_doubt="stop")
"""


@pytest.mark.parametrize("words", [[], ["--done", "invoice", "--result", '"by hand"']])
def test_a_failure_that_it_stands_in_for_stays_carried(project: Project, words: list[str]) -> None:
    project.job(STANDS_IN, "pay")
    (project.root / "kill").touch()
    project.run("trigger", "pay", expect=-9)
    (project.root / "mended").touch()
    for _ in range(2):
        project.run("resume", "@last", expect=1)
        run = project.inspect()
        assert (run["causes"], run["carried"]) == (["invoice"], ["card"])
    project.run("resume", "@last", *words, expect=0 if words else 1)
    assert project.effects == ["card", "invoice"], "never both"


def test_one_that_has_returned_what_is_refused_is_not_called_again_unasked(
    project: Project,
) -> None:
    project.job(
        """
        def charge() -> dict[str, object]:
            effect("charged")
            return {"set": {1}, "open": object()}

        @define_job
        def pay(step: Step) -> object:
            try:
                return step.run("charge", charge, in_doubt="stop")
            except Exception:
                return step.run("refund", effect, "refund")
        """,
        "pay",
    )
    said = "step 'charge' has returned, so it has happened, but its result is refused"
    for _ in range(2):
        assert (
            said
            in project.run(
                "trigger" if not project.effects else "resume",
                "pay" if not project.effects else "@last",
                expect=1,
            ).err
        )
        assert project.inspect()["undecided"] == ["charge"]
    assert project.effects == ["charged"]
    done = project.run("resume", "@last", "--done", "charge", "--result", '{"id": 1}')
    assert done.out == '{"id":1}\n'


@pytest.mark.parametrize("pay", ["look"], indirect=True)
def test_a_look_whose_error_cannot_be_said_ends_the_attempt_as_well(pay: Project) -> None:
    path = pay.root / "jobs" / "pay.py"
    bad = "class Bad(Exception):\n    def __str__(self):\n        raise RuntimeError\n\n"
    text = path.read_text().replace('raise OSError("no network")', "raise Bad")
    path.write_text(text.replace("def charge", bad + "def charge", 1))
    (pay.root / "cannot look").touch()
    assert "what looks for that has failed: Bad" in pay.run("resume", "@last", expect=1).err
    assert pay.effects == ["charged 300", "looked 300"]


@pytest.mark.parametrize("pay", ["look"], indirect=True)
def test_a_look_that_takes_too_long_says_so(pay: Project) -> None:
    path = pay.root / "jobs" / "pay.py"
    text = path.read_text().replace("in_doubt=look", 'in_doubt=look, timeout="0.2s"')
    path.write_text(text.replace('raise OSError("no network")', "time.sleep(60)"))
    (pay.root / "cannot look").touch()
    assert "took longer than 0.2 s" in pay.run("resume", "@last", expect=1).err


@pytest.mark.parametrize("pay", ["'stop'"], indirect=True)
@pytest.mark.parametrize(
    "result", ['{"$blob": "x"}', json.dumps("y" * 100_000)], ids=["like", "large"]
)
def test_a_given_result_may_be_large_or_look_like_a_reference(pay: Project, result: str) -> None:
    path = pay.root / "jobs" / "pay.py"
    path.write_text(path.read_text().replace(") -> str:", ") -> object:"))
    done = pay.run("resume", "@last", "--done", "charge", "--result", result)
    assert json.loads(done.out) == json.loads(result)
    assert pay.effects == ["charged 300"]


@pytest.mark.parametrize("pay", ["'stop'"], indirect=True)
def test_a_given_result_that_is_damaged_can_be_given_again(pay: Project) -> None:
    path = pay.root / "jobs" / "pay.py"
    text = path.read_text()
    path.write_text(
        text.replace(
            "    try:", "    if os.path.exists('fail'):\n        raise ValueError\n    try:"
        )
    )
    (pay.root / "fail").touch()
    words = "--done", "charge", "--result", json.dumps("y" * 100_000)
    pay.run("resume", "@last", *words, expect=1)
    (blob,) = pay.journal().with_suffix(".blobs").iterdir()
    blob.write_bytes(blob.read_bytes().replace(b"y", b"z", 1))
    (pay.root / "fail").unlink()
    assert "was in a file that is damaged" in pay.run("resume", "@last", expect=1).err
    pay.run("resume", "@last", *words)


def test_one_that_somebody_did_by_hand_is_not_a_failure_any_more_in_that_very_attempt(
    project: Project,
) -> None:
    project.job(
        """
        def primary() -> int:
            raise OSError("down")

        @define_job
        def either(step: Step) -> int:
            try:
                n = step.run("primary", primary)
            except OSError:
                n = step.run("fallback", int)
            if not os.path.exists("mended"):
                raise ValueError
            return n
        """,
        "either",
    )
    project.run("trigger", "either", expect=1)
    (project.root / "mended").touch()
    assert project.inspect()["carried"] == ["primary"]
    assert project.run("resume", "@last", "--done", "primary", "--result", "5").out == "5\n"


def test_steps_in_memory_have_nothing_in_common(tmp_path: Path) -> None:
    before = Step().idempotency_key("x")[len("in-memory") :]
    path = tmp_path / "out"
    path.write_text("a")
    text = json.dumps({"$file": str(path), "size": 9, "sha256": "0" * 64})
    step = Step(results={"x": Json(text)})
    assert step.run("x", File, path, returns=File) == File(path)
    assert Step().idempotency_key("x")[len("in-memory") :] == before
