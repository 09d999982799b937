"""Exceptions of every kind are shown as far as they can be, and none of them stops durably."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from durably_cli.errors import Interrupted
from durably_cli.journal.failures import describe
from durably_cli.system import signals
from durably_cli.values.untrusted import origin_of, repr_of, text_of
from tests.conftest import Project
from tests.harness.examples import REPOSITORY


class NoText(Exception):
    def __str__(self) -> Any:
        return 5


class StopsAtItsText(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class NoCause(Exception):
    @property
    def __cause__(self) -> Any:
        raise RuntimeError("no cause")


class Empty(Exception):
    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")


class Notes(Exception):
    __notes__ = 5  # type: ignore[assignment]


class Renamed(type):
    def __getattribute__(cls, name: str) -> Any:
        if name == "__qualname__":
            raise RuntimeError("no name")
        return super().__getattribute__(name)


class Nameless(Exception, metaclass=Renamed):
    pass


class Text(str):
    def encode(self, *_: Any) -> bytes:
        raise SystemExit(0)


class TextOfItsOwn(Exception):
    def __str__(self) -> str:
        return Text("x")


class NameOfItsOwn(Exception):
    pass


NameOfItsOwn.__qualname__ = Text("Odd")


class Surrogate(Exception):
    pass


Surrogate.__qualname__ = "Odd\ud800"


def syntax_error(**attributes: Any) -> SyntaxError:
    error = SyntaxError("m", ("f", 1, 2, "text"))
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def nested(levels: int) -> BaseException:
    error: Exception = ValueError("x")
    for _ in range(levels):
        error = ExceptionGroup("group", [error])
    return error


def circle() -> BaseException:
    first, second = ValueError("first"), NoCause("second")
    first.__context__, second.__context__ = second, first
    return first


ODD = {
    "no text": NoText(),
    "a text that stops": StopsAtItsText(),
    "no cause": NoCause("x"),
    "a text of a class of its own": TextOfItsOwn(),
    "a name of a class of its own": NameOfItsOwn("x"),
    "neither true nor false": Empty("x"),
    "notes that are none": Notes("x"),
    "a class without a name": Nameless("x"),
    "a name that is no text": Surrogate("x \ud800"),
    "a line that is text": syntax_error(lineno="a", offset="b"),
    "a text that is a number": syntax_error(text=5),
    "an end that is text": syntax_error(end_lineno=1, end_offset="z"),
    "a file that is a number": syntax_error(filename=7),
    "groups in groups": nested(1500),
    "a circle": circle(),
    "a large one": ValueError("x" * 1_000_000),
    "bytes": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "\ud800"),
    "a program": subprocess.CalledProcessError(1, [object()]),
    "an exit": SystemExit(3),
    "a bare one": BaseException(),
}


def boom(error: BaseException) -> None:
    raise error


@pytest.fixture
def signals_of_a_command() -> Iterator[None]:
    before = {signum: signal.getsignal(signum) for signum in signals.SIGNALS}
    signals.install(lambda: None, lambda: None)
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.parametrize("handler", [signal.default_int_handler, lambda *_: None])
def test_what_may_be_a_ctrl_c_is_not_taken_for_an_odd_exception(handler: Any) -> None:
    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            text_of(StopsAtItsText())
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_exception_is_described_with_the_users_frames(
    name: str, signals_of_a_command: None
) -> None:
    try:
        boom(ODD[name])
    except BaseException as error:
        told = describe(error)
    assert told.type
    assert "in boom" in told.traceback
    for text in told:
        text.encode()


def test_of_one_that_python_cannot_show_the_causes_are_shown_as_well() -> None:
    try:
        try:
            boom(KeyError("first"))
        except KeyError as first:
            raise syntax_error(text=5) from first
    except SyntaxError as error:
        told = describe(error)
    assert told.traceback.index("KeyError: 'first'") < told.traceback.index("SyntaxError: m")


def test_what_an_exception_came_from_is_asked_past_its_class() -> None:
    first, second = ValueError("first"), NoCause("second")
    BaseException.__dict__["__cause__"].__set__(second, first)
    assert origin_of(second) is first
    empty = Empty()
    later = ValueError()
    later.__cause__ = empty
    assert origin_of(later) is empty


def test_a_stop_is_not_taken_for_a_text_that_fails() -> None:
    class Stopped:
        def __str__(self) -> str:
            raise Interrupted(15)

    with pytest.raises(Interrupted):
        text_of(Stopped())


def test_a_ctrl_c_in_python_is_not_taken_for_a_text_that_fails() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        text_of(StopsAtItsText())


def test_an_object_without_a_repr_is_named_by_its_class() -> None:
    class Silent:
        def __repr__(self) -> str:
            raise MemoryError

    assert "Silent whose repr fails" in repr_of(Silent())


@pytest.mark.parametrize("name", ["NameOfItsOwn", "TextOfItsOwn"])
def test_a_failure_with_a_text_of_a_class_of_its_own_is_a_failure(
    project: Project, name: str
) -> None:
    project.job(
        f"""
        from tests.journal.test_failures import {name}

        @define_job
        def work(step: Step, payload: dict) -> int:
            raise {name}("x")
        """
    )
    env = project.env | {"PYTHONPATH": str(REPOSITORY)}
    assert "failed" in project.run("trigger", "work", env=env, expect=1).err


def test_an_exit_says_that_a_job_ends_by_returning() -> None:
    found = describe(SystemExit(0))
    assert found.message == "0"
    assert "SystemExit: 0\nA job or a step ends by returning" in found.traceback
