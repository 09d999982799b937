"""Every error durably raises, on one page.

DurablyError                     shown as "what happened" and "what to type next"
├── UsageError              2    wrong flags; an id that fits several runs
├── NotFound                4    no such job, run or step
├── Conflict                5    an idempotency key reused with another input
├── InvalidInput           65    not JSON, or the job's model rejects it
├── JournalError           74    a journal cannot be read or written
│   ├── JournalDamaged           ... its bytes are not what durably wrote
│   └── JournalTooNew            ... a newer durably wrote it
├── Busy                   75    another process (or this very one) holds it
├── Forbidden              77    permission, or a file that is not yours
├── ConfigError            78    no project, a moved one, a bad setting
│   └── JobModuleError           ... a job module that does not import
├── TimedOut              124    it was not over within the time that was given
└── RunFailed               1    asked for the output of a run that has none

StepError                        a step was used wrongly; fails the run like any exception
├── FileChanged                  a file that a result vouches for is not what it was
├── StepMisused                  reused name, nested, async, from another thread
│   └── RunEnded                 ... by a thread that is still there when the handler has ended
└── ValueRefused                 a value that JSON would not give back equal

StepTimeout (TimeoutError)       a step's function took longer than it was given
WaitTimeout (TimeoutError)       what a step waited for has not come in time

Abort (BaseException)            ends the attempt; `except Exception` must not swallow it
├── JournalLost            74    the journal cannot be appended to
├── Stopped                      raised in the handler's thread by another one
├── Cancelled               3    somebody wants the run to end for good
├── StepInDoubt             1    nobody knows whether a step has happened: a person decides
├── AttemptTimedOut       124    its time limit
├── Suspended              75    all that is left of the run waits
└── Interrupted       128 + n    INT, TERM or HUP
"""

from __future__ import annotations

from collections.abc import Sequence

from durably_cli import hints
from durably_cli.error_codes import ErrorCode


class DurablyError(Exception):
    """An error durably reports: what happened and where, then what to type next.

    `exit_code` is what the command ends with; 70 means a bug in durably. `code` is the error's name
    for programs, and `run` the id of the run that it is about, if it is about one.
    """

    exit_code = 70
    code: ErrorCode = "bug"

    def __init__(
        self,
        what: str,
        *,
        hint: str | None = None,
        code: ErrorCode | None = None,
        run: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.code = code or self.code
        self.run = run


class UsageError(DurablyError):
    """The command was called wrongly."""

    exit_code = 2
    code = "usage"


class NotFound(DurablyError):
    """There is no such job, run or step."""

    exit_code = 4
    code = "no-such-run"


class Conflict(DurablyError):
    """An idempotency key was used before with another input."""

    exit_code = 5
    code = "key-conflict"


class InvalidInput(DurablyError):
    """The input is not JSON, or the job's model rejects it; no run was made.

    `missing` are the fields that the model requires, and the input lacks.
    """

    exit_code = 65
    code = "invalid-input"

    def __init__(self, what: str, *, hint: str | None = None, missing: Sequence[str] = ()) -> None:
        super().__init__(what, hint=hint)
        self.missing = missing


class JournalError(DurablyError):
    """A journal, or the folder it lives in, cannot be read or written."""

    exit_code = 74
    code: ErrorCode = "journal-unreadable"


class JournalDamaged(JournalError):
    """The bytes of a journal are not what durably wrote."""

    code = "journal-damaged"

    def __init__(self, path: str, line: int, byte: int, reason: str) -> None:
        look = hints.command("inspect", path.removesuffix(".jsonl")[-8:])
        look += "    (shows what is intact before it; nothing was changed)"
        if line == 1:
            look = (
                "put an intact copy of it back, one named .damaged-1 or .torn-1 beside it perhaps"
            )
            look += f"\n{hints.command('help', 'care')}    (says what else can be done)"
        super().__init__(f"{path} is damaged at line {line}, byte {byte}: {reason}", hint=look)
        self.line, self.byte, self.reason = line, byte, reason


class JournalTooNew(JournalError):
    """A newer durably wrote this journal."""

    code = "journal-too-new"


class Busy(DurablyError):
    """Another process, or this very one, holds what was asked for; try later."""

    exit_code = 75
    code = "busy"


class Forbidden(DurablyError):
    """No permission, or a folder or file that is not yours or not a plain one."""

    exit_code = 77
    code = "forbidden"


class Unreachable(DurablyError):
    """The database that the runs are in cannot be reached; try later."""

    exit_code = 69
    code = "unreachable"


class ConfigError(DurablyError):
    """There is no project here, or it or its settings do not fit."""

    exit_code = 78
    code: ErrorCode = "config"


class JobModuleError(ConfigError):
    """The module at this path in `jobs/` does not import; `reason` is why, in a line."""

    code = "job-module"

    def __init__(self, path: str, what: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(what, hint=hint)
        self.path, self.reason = path, reason


class TimedOut(DurablyError):
    """What was waited for was not over within the time that was given."""

    exit_code = 124
    code = "timed-out"


class RunFailed(DurablyError):
    """The run ended without an output."""

    exit_code = 1
    code = "run-failed"


class StepError(Exception):
    """A step was used in a way that durably cannot make durable."""


class FileChanged(StepError):
    """A file that a result vouches for is gone or changed, and is not to be made again."""


class StepTimeout(TimeoutError):
    """A step's function took longer than the time it was given."""


class WaitTimeout(TimeoutError):
    """What a step waited for, a signal or something that it looked for, has not come in time."""


class StepMisused(StepError):
    """A reused step name, a nested or an async step, a wrong argument."""


class RunEnded(StepMisused):
    """A thread used a step of an attempt that had ended; nothing of it was recorded."""


class ValueRefused(StepError):
    """A value that would not come back from JSON as it went in.

    `path` says where in the value, `$` being the whole of it; `reason` why, and the fix; `what`
    names the value, where that is known.
    """

    def __init__(self, path: str, reason: str, *, what: str = "") -> None:
        where = "" if path == "$" else f"at {path}, "
        super().__init__(f"{what or 'the value'} cannot be kept: {where}{reason}")
        self.path, self.reason, self.what = path, reason, what
        self.is_none_as_output = False  # of a handler that declares something else


class Abort(BaseException):
    """Ends the attempt at once; not an Exception, so that handlers let it through."""

    exit_code = 70
    code: ErrorCode = "bug"

    def __init__(self, what: str, *, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class JournalLost(Abort):
    """The journal cannot be appended to, or no longer belongs to this process."""

    exit_code = 74
    code = "journal-lost"


class Stopped(Abort, KeyboardInterrupt):
    """Raised in the handler's thread by another one; a Ctrl-C, which event loops pass on."""

    code = "interrupted"

    def __init__(self) -> None:
        super().__init__("stopped")


class Cancelled(Abort):
    """Somebody wants the run to end for good."""

    exit_code = 3
    code = "run-cancelled"

    def __init__(self, by: str, reason: str | None = None) -> None:
        super().__init__("cancelled")
        self.by, self.reason = by, reason


class StepInDoubt(Abort):
    """A step may have happened and is not to happen twice: the run fails until somebody decides."""

    exit_code = 1
    code = "run-failed"


class AttemptTimedOut(Abort):
    """The attempt is longer than it may be; the run can be resumed."""

    exit_code = 124
    code = "timed-out"


class Suspended(Abort):
    """All that is left of the run waits, `until` then at the least, and no process is to sit by it.

    `until` is a time in UTC as journals have it, or empty if a signal is waited for.
    """

    exit_code = 75
    code = "waiting"

    def __init__(self, until: str) -> None:
        super().__init__("suspended")
        self.until = until


class Interrupted(Abort, KeyboardInterrupt):
    """A signal asked the run to stop."""

    code = "interrupted"

    def __init__(self, signum: int) -> None:
        super().__init__("interrupted")
        self.signum = signum
        self.exit_code = 128 + signum
