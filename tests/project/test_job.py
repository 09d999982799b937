"""`define_job` and `Job` from Python."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from durably_cli import RunFailed, Step, define_job
from durably_cli.errors import Conflict, InvalidInput, UsageError
from durably_cli.values.strict_json import Json
from tests.conftest import BIN


class Question(BaseModel):
    text: str
    loud: bool = False


class Answer(BaseModel):
    text: str


class Answers:
    """No type that JSON can give."""


class Methods:
    def method(self, step: Step) -> None: ...


def takes_it_last(question: Question, step: Step) -> None: ...


def takes_no_step(question: Question) -> None: ...


def counts_up(step: Step) -> Iterator[int]:
    yield 1


calls: list[str] = []


def think(text: str) -> str:
    calls.append(text)
    if text == "impossible":
        raise ValueError("cannot be answered")
    return text[::-1]


@define_job
def answer_question(step: Step, payload: Question) -> Answer:
    """Answers a question."""
    text = step.run("think", think, payload.text)
    step.log.info("thought")
    return Answer(text=text.upper() if payload.loud else text)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "project"
    (folder / "jobs").mkdir(parents=True)
    monkeypatch.setenv("DURABLY_PROJECT", str(folder))
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    monkeypatch.setenv("DURABLY_DATA_DIR", str(tmp_path / "data"))
    calls.clear()
    yield folder


def test_the_name_and_the_types_are_inferred() -> None:
    assert answer_question.name == "answer-question"
    assert answer_question.__doc__ == "Answers a question."
    assert answer_question.trigger(Question(text="abc")).output == Answer(text="cba")


def test_a_run_has_an_id_a_status_and_a_typed_output() -> None:
    run = answer_question.trigger(Question(text="abc", loud=True), labels={"a": "b"})
    assert len(run.id) == 36
    assert (run.status, run.disposition) == ("completed", "created")
    assert type(run.output) is Answer
    assert run.error is None


def test_a_failure_is_in_the_run_and_raised_by_its_output() -> None:
    run = answer_question.trigger(Question(text="impossible"))
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.type == "ValueError"
    with pytest.raises(RunFailed, match="cannot be answered") as caught:
        _ = run.output
    project = os.environ["DURABLY_PROJECT"]
    assert caught.value.hint is not None
    assert caught.value.hint.endswith(f"-C {project} resume {run.id}")


def test_an_idempotency_key_gives_the_same_run() -> None:
    first = answer_question.trigger(Question(text="abc"), idempotency_key="k")
    second = answer_question.trigger(Question(text="abc"), idempotency_key="k")
    assert (second.id, second.disposition, second.output) == (first.id, "idempotent", first.output)
    assert calls == ["abc"]
    with pytest.raises(Conflict):
        answer_question.trigger(Question(text="xyz"), idempotency_key="k")


def test_a_concurrency_key_is_free_again_after_its_run() -> None:
    for _ in range(2):
        assert (
            answer_question.trigger(Question(text="abc"), concurrency_key="k").status == "completed"
        )


def test_an_input_of_the_wrong_type_is_refused_before_there_is_a_run(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        answer_question.trigger("text")  # type: ignore[arg-type]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"idempotency_key": 5}, "the idempotency key must be a text"),
        ({"concurrency_key": ""}, "the concurrency key must be a text"),
        ({"idempotency_key": "\ud800"}, "cannot be written as UTF-8"),
        ({"labels": {"a": 1}}, "the label 'a' must be a text, not 1"),
        ({"labels": {1: "a"}}, "a label's name must be a text"),
        ({"retry_failed": True}, "retry_failed says nothing without an idempotency_key"),
        ({"labels": {"a=b": "c"}}, "a label's name must be a text without '='"),
    ],
)
def test_keys_and_labels_of_the_wrong_type_are_refused_before_there_is_a_run(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        answer_question.trigger(Question(text="abc"), **options)
    assert calls == []
    assert not list(tmp_path.rglob("*.jsonl"))


def test_a_run_shows_what_it_is() -> None:
    run = answer_question.trigger(Question(text="abc"))
    assert repr(run) == f"<Run {run.id} of answer-question, completed>"


def test_calling_a_job_with_a_step_in_memory_just_runs_its_handler(tmp_path: Path) -> None:
    assert answer_question(Step(), Question(text="abc")) == Answer(text="cba")
    assert not (tmp_path / "data").exists()


def test_nothing_is_configured_in_the_standard_logging() -> None:
    before = list(logging.root.handlers)
    answer_question.trigger(Question(text="abc"))
    assert logging.root.handlers == before


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: define_job(name="1st")(lambda step, payload: None), "cannot be a job's name"),
        (lambda: define_job(name="a/b")(lambda step, payload: None), "cannot be a job's name"),
        (lambda: define_job(name="x" * 65)(lambda step, payload: None), "cannot be a job's name"),
        (lambda: define_job(name="a")(lambda: None), "(step, *, fields...), not ()"),
        (lambda: define_job(name="a")(lambda step, *, n: None), "does not say what n is"),
        (
            lambda: define_job(name="a")(lambda step, a, b, c: None),
            "make a, b and c fields of its input",
        ),
        (lambda: define_job(name="a")(lambda payload, step: None), "write it as (step, payload)"),
        (lambda: define_job(takes_it_last), "write it as (step, question)"),  # type: ignore[arg-type]
        (lambda: define_job(takes_no_step), "write it as (step, question)"),
        (lambda: define_job(name="a")(lambda payload: None), "write it as (step, payload)"),
        (lambda: define_job(Answers), "Answers is a class, and a job is a function"),
        (lambda: define_job(Methods.method), "takes self: a method cannot be a job"),
        (lambda: define_job(counts_up), "it has a yield"),
        (lambda: define_job("a"), "write @define_job(name='a') above one"),  # type: ignore[call-overload]
        (lambda: define_job(lambda step: None), "give it one: define_job(name=...)"),
        (lambda: define_job(name="a", input=int)(lambda step: None), "must take it: (step, pay"),  # type: ignore[arg-type, misc]
        (lambda: answer_question(), "answer-question is a job, which is run by"),  # type: ignore[call-overload]
        (lambda: define_job(name="a", input=Answers)(lambda step, payload: None), "the input of a"),
        (lambda: define_job(name="a", output=Iterator)(lambda step, payload: None), "output of a"),  # type: ignore[type-abstract]
    ],
)
def test_what_cannot_be_a_job_is_a_type_error(make: Any, said: str) -> None:
    with pytest.raises(TypeError) as caught:
        make()
    assert said in str(caught.value)


@define_job
def forgets(step: Step, payload: Any) -> dict[str, int]: ...  # type: ignore[empty-body]


@define_job
def gives_a_set(step: Step, payload: Any) -> Any:
    return {payload}


def test_a_refused_output_says_of_which_job_where_it_is_and_what_to_mend() -> None:
    for job, said in (
        (forgets, "it is None, and its declared type is dict[str, int]; is a `return` missing?"),
        (gives_a_set, "a set is not plain JSON; annotate what the handler returns"),
    ):
        error = job.trigger(1).error
        assert error is not None
        place = f"{__file__}:{job.handler.__code__.co_firstlineno}"
        assert error.message == f"the output of {job.name} ({place}) cannot be kept: {said}"
    with pytest.raises(InvalidInput, match="not valid: a set is not plain JSON; annotate the pay"):
        forgets.trigger({1})


@define_job
def hands_on(step: Step, payload: Any) -> str:
    step.run("first", len, "abc")
    step.run("second", payload.append, 1)
    return step.run("third", payload.append, 1)  # type: ignore[no-any-return]


def test_a_refused_none_names_the_steps_that_it_may_come_from() -> None:
    error = hands_on.trigger([]).error
    assert error is not None and "is a `return` missing?" in error.message
    assert "\nsteps second, third have returned None, which is on disk" in error.traceback
    forgotten = forgets.trigger(1).error
    assert forgotten is not None and "on disk" not in forgotten.traceback


@define_job
def nightly(step: Step) -> int:
    """Takes nothing."""
    return step.run("count", len, "abc")


def test_a_handler_of_the_step_alone_takes_no_input(project: Path) -> None:
    assert nightly.trigger().output == nightly(Step()) == 3
    assert (nightly.doc, nightly.input_type, nightly.fields) == ("Takes nothing.", "nothing", [])
    first = nightly.trigger(idempotency_key="k")
    assert nightly.trigger(None, idempotency_key="k").id == first.id
    assert nightly.settle(Json('{"of": "before"}')).input == "{}"
    for refused in (lambda: nightly.trigger({}), lambda: nightly.settle(Json("[]"))):  # type: ignore[call-overload]
        with pytest.raises(InvalidInput, match="takes no input"):
            refused()


def test_a_handler_that_a_decorator_wraps_badly_takes_its_payload_all_the_same() -> None:
    def wrapper(*args: Any, **named: Any) -> Any:
        return answer_question(*args, **named)

    assert define_job(wrapper)(Step(), Question(text="ab")) == Answer(text="ba")


def test_an_async_handler_is_refused() -> None:
    with pytest.raises(TypeError, match="async"):

        @define_job
        async def later(step: Step, payload: dict[str, int]) -> None: ...


def test_unions_are_inputs_by_annotation() -> None:
    @define_job
    def either(step: Step, payload: int | list[int]) -> int:
        return payload if isinstance(payload, int) else sum(payload)

    assert either.trigger([1, 2]).output == 3
    assert either.trigger(4).output == 4


@define_job
def stop(step: Step, payload: None) -> None:
    for number in range(100_000):
        step.run(f"step-{number}", int)


@pytest.mark.parametrize("delay", [0.02, 0.05, 0.1, 0.2, 0.3])
def test_ctrl_c_is_a_keyboard_interrupt_wherever_it_comes(delay: float) -> None:
    timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        stop.trigger(None)
    timer.join()
