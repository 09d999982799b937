"""Jobs: a name, an input, an output and a handler, as `define_job` puts them together."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from durably_cli import hints
from durably_cli.engines import payload, working_folder
from durably_cli.engines.execute import source_hash
from durably_cli.engines.live_run import BoundHandler
from durably_cli.engines.local import trigger
from durably_cli.engines.request import Disposition, Request
from durably_cli.engines.run_view import RunView
from durably_cli.errors import ValueRefused
from durably_cli.project import handlers, places
from durably_cli.project.described_job import DescribedJob
from durably_cli.project.executing import Act, brought_about, resume_of
from durably_cli.project.listening_job import ListeningJob
from durably_cli.project.run import Run
from durably_cli.steps.step import Step
from durably_cli.values import convert, plain
from durably_cli.values.strict_json import Json, printable
from durably_cli.values.untrusted import all_of

if TYPE_CHECKING:
    from durably_cli.steps.async_step import AsyncStep
    from durably_cli.steps.child_run import ChildJob

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741
P = ParamSpec("P")

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")

Handler = Callable[[Step, I], O]
AsyncHandler = Callable[["AsyncStep", I], Coroutine[Any, Any, O]]

OnFailure = Callable[[Run[Any]], object]
"""What is called with a run after an attempt that has failed."""


class Job(DescribedJob, Generic[I, O]):
    """A handler made durable: `trigger` makes a run of it; calling it just runs the handler."""

    def __init__(self, handler: Handler[I, O], name: str, input: Any, output: Any) -> None:
        super().__init__(handler, name, input, output)
        update_wrapper(self, handler)
        self.timeout: float | None = None
        """How many seconds an attempt may take."""
        self.on_failure: OnFailure | None = None
        self._is_used = False
        """Was it called or triggered by Python code of this process?"""

    @overload
    def __call__(self: Job[None, O], step: Step, payload: None = None, **fields: Any) -> O: ...
    @overload
    def __call__(self, step: Step, payload: I) -> O: ...
    def __call__(self, *args: Any, **named: Any) -> O:
        if not args and not named:
            raise TypeError(
                f"{self.name} is a job, which is run by {hints.command('trigger', self.name)}; a "
                "call just runs its handler, and gives it a step: as in a test, with Step()"
            )
        self._is_used = True
        handlers.refuse_step_of_other(self.handler, self.name, *args[:1])
        return self.handler(*args, **named)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<Job {self.name} of {self.place}>"

    def __reduce__(self) -> str:  # sent to another process by its name, as a function is
        return getattr(self, "__qualname__", self.name)

    @overload
    def trigger(
        self: Job[None, O],
        input: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        concurrency_key: str | None = None,
        labels: Mapping[str, str] | None = None,
        retry_failed: bool = False,
        suspend: bool = False,
    ) -> Run[O]: ...
    @overload
    def trigger(
        self,
        input: I,
        *,
        idempotency_key: str | None = None,
        concurrency_key: str | None = None,
        labels: Mapping[str, str] | None = None,
        retry_failed: bool = False,
        suspend: bool = False,
    ) -> Run[O]: ...
    def trigger(
        self,
        input: Any = None,
        *,
        idempotency_key: str | None = None,
        concurrency_key: str | None = None,
        labels: Mapping[str, str] | None = None,
        retry_failed: bool = False,
        suspend: bool = False,
    ) -> Run[O]:
        """Make a run and execute it in this process, as `durably trigger` does; or have workers.

        An idempotency key gives the same run every time; a concurrency key keeps runs that share
        it apart. The job runs in the working directory. A failure of the job is in the returned
        run, not raised; `retry_failed` resumes the key's run if it has failed. With `suspend` it
        returns once all that is left of the run waits.
        Raises InvalidInput, Conflict, Busy, JournalError, and another DurablyError if the attempt
        takes longer than the job's `timeout`.
        """
        self._is_used = True

        def prepared(project: Path) -> Act:
            with self._reads("input"):
                value = self._value_of(input)
                written = payload.dump_payload(self.input, value)
                canonical = payload.canonical_of(self.input, value) if idempotency_key else None
            request = Request(
                job=self.name,
                input=written,
                canonical=canonical,
                project=str(project),
                folder=working_folder.current() or printable(str(project)),
                idempotency_key=idempotency_key,
                concurrency_key=concurrency_key,
                labels=labels or {},
                retry_failed=retry_failed,
            )
            return Act(
                lambda store, load, seen: trigger.trigger(store, request, load, seen),
                lambda engine, job: engine.trigger(request, lambda: job),
            )

        return brought_about(self, prepared, suspends=suspend)

    def resume(self, run: str, *, suspend: bool = False) -> Run[O]:
        """Execute a run of this job from where it was left, as `durably resume` does.

        `run` is its id, or what commands take for it. All else is as with `trigger`.
        """
        self._is_used = True
        return brought_about(self, resume_of(self.name, run), suspends=suspend)

    def main(self) -> None:
        """Make the script that ends with this call a command: `./digest.py --day 2026-11-29`.

        It takes what `durably trigger` takes of this job, and the commands of durably:
        `./digest.py list`. It leaves the process with their exit codes. In a module that is
        imported it does nothing.
        """
        from durably_cli.project.as_script import run_as_script  # only for scripts

        self._is_used = True
        run_as_script(self)

    def as_child(self) -> ChildJob[I, O]:
        """The job as a step of another one runs it."""
        from durably_cli.steps.child_run import ChildJob  # few jobs are

        self._is_used = True

        def dump(input: I) -> Json:
            with self._reads("input"):
                return payload.dump_payload(self.input, self._value_of(input))

        project = places.project_of_file(self.source)
        listens = ListeningJob(self, project, all_threads=False)
        return ChildJob(self.name, dump, self.output, self._in_memory, listens)

    def settle(self, given: Json, *, is_compared: bool = False) -> payload.ReadyInput:
        """The input to make a run with, and to compare: as given, the model's defaults filled in.

        InvalidInput with every field that the model rejects, or with what its own code raised.
        """
        with self._reads("input"):
            return payload.fill_defaults(self.input, given, is_compared=is_compared)

    def work(self, input: Json) -> BoundHandler:
        """The handler with this input bound, as an engine executes it."""
        with self._reads("input"):
            value, secrets, unread = payload.load_payload(self.input, input)

        def call(step: Step) -> Json:
            returned: object = ...
            try:
                returned = handlers.handled(self.handler, step, value)
                output = convert.round_trip(self.output, returned)[0]
                secrets.refuse(output)
                return output
            except ValueRefused as refused:
                if refused.what:
                    raise
                reason = refused.reason.replace(plain.ANNOTATE, "annotate what the handler returns")
                what = f"the output of {self.name} ({self.place})"
                refusal = ValueRefused(refused.path, reason, what=what)
                refusal.is_none_as_output = returned is None
                raise refusal from None
            except Exception as error:
                if any(issubclass(type(one), ImportError) for one in all_of(error)):
                    from durably_cli.project.missing_modules import explain  # rarely needed

                    explain(error, self.source)
                raise

        source = None if self._text is None else source_hash(self._text)
        bound = BoundHandler(call, source, secrets, unread, self.timeout)
        bound = bound._replace(is_async=self.is_async)
        return bound if self.on_failure is None else bound._replace(on_failure=self._failed)

    def _in_memory(self, input: I) -> O:
        value = self._value_of(input)
        return handlers.handled_in_memory(self.handler, value)  # type: ignore[no-any-return]

    def _failed(self, view: RunView) -> None:
        if self.on_failure is not None:
            handlers.awaited(self.on_failure(Run(self, view, Disposition.CREATED)))


class FieldsJob(Job[Mapping[str, Any], O], Generic[P, O]):
    """A job whose handler has its input in keyword-only parameters; a trigger takes a mapping."""

    if TYPE_CHECKING:

        def __call__(self, step: Step, *args: P.args, **fields: P.kwargs) -> O: ...  # type: ignore[override]


class AsyncFieldsJob(Job[Mapping[str, Any], O], Generic[P, O]):
    """The same of an async handler: a call of it is to be awaited."""

    if TYPE_CHECKING:

        def __call__(  # type: ignore[override]
            self, step: AsyncStep, *args: P.args, **fields: P.kwargs
        ) -> Coroutine[Any, Any, O]: ...


class AsyncJob(Job[I, O]):
    """A job whose handler is async: a call of it is to be awaited."""

    if TYPE_CHECKING:

        @overload  # type: ignore[override]
        def __call__(
            self: AsyncJob[None, O], step: AsyncStep, payload: None = None, **fields: Any
        ) -> Coroutine[Any, Any, O]: ...
        @overload
        def __call__(self, step: AsyncStep, payload: I) -> Coroutine[Any, Any, O]: ...
        def __call__(self, *args: Any, **named: Any) -> Any: ...
