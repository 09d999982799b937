"""How a command ends: with a message, if need be, and an exit code of the table."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.streams import flush_all
from durably_cli.error_codes import ErrorCode
from durably_cli.errors import Abort, Busy, DurablyError, Forbidden, JournalError
from durably_cli.system import process
from durably_cli.values.visible import visible_lines


def end_as(act: Callable[[], int]) -> NoReturn:
    """End the process as the action does: with a message, if need be, and a code of the table."""
    try:
        code = _ended(act)
    finally:  # of what the job itself has raised, too
        flush_all()
    process.leave(code)


def _ended(act: Callable[[], int]) -> int:
    code = 0
    try:
        code = act()
        sys.stdout.flush()
    except (DurablyError, Abort) as error:
        if isinstance(error, DurablyError) and error.run:
            document.about(error.run)
        return _fail(error.what, error.hint, error.exit_code, error.code)
    except BrokenPipeError:  # who reads our output has seen enough
        pass
    except KeyboardInterrupt:
        return _fail("interrupted", None, 130, "interrupted")
    except OSError as error:
        return _fail(*_end_of(error))
    except Exception as error:
        what = f"a bug in durably: {type(error).__name__}: {error}{_place_of(error)}"
        return _fail(what, None, 70, "bug")
    return code


def _fail(what: str, hint: str | None, code: int, name: ErrorCode) -> int:
    """Say on stderr what happened and what to type next, and to a program; the exit code.

    The one place that reports an error. What only has to be tried later is no news in a mail.
    """
    is_silent = code == Busy.exit_code and hints.is_read_elsewhere()
    lines = [f"durably: {visible_lines(what)}"]
    if hint:
        lines.append(f"try: {visible_lines(hints.shown(hint))}")
    try:
        if not is_silent:
            print("\n".join(lines), file=sys.stderr, flush=True)
    except (OSError, ValueError):  # nobody listens any more
        pass
    try:
        document.fail(name, code, what, hint)
        document.close()
    except (OSError, ValueError):  # nobody listens any more
        pass
    return code


def _end_of(error: OSError) -> tuple[str, str | None, int, ErrorCode]:
    """What happened, what to type, the exit code, and the error's name."""
    from durably_cli.system.files import refuse_without_folder  # rarely needed

    try:
        refuse_without_folder(error)
    except DurablyError as gone:
        return gone.what, gone.hint, gone.exit_code, gone.code
    if isinstance(error, PermissionError):
        return _os_error(error), _about_data(error), Forbidden.exit_code, Forbidden.code
    return _os_error(error), None, JournalError.exit_code, "io"


def _about_data(error: PermissionError) -> str | None:
    """What to type if it is the data folder that this user may not use as it is."""
    from durably_cli.system.folders import DATA_VARIABLE, data_folder  # rarely needed

    try:
        data = data_folder()
    except DurablyError:
        return None
    if not os.fspath(error.filename or "").startswith(f"{data}{os.sep}"):
        return None
    mend = f"chmod -R u+rwX {hints.quoted(data)}"
    return f"{mend}    (or set {DATA_VARIABLE} to a folder that this user may write in)"


def _os_error(error: OSError) -> str:
    if error.errno in (errno.EMFILE, errno.ENFILE) and not error.filename:
        return f"this process may open no more files: {error.strerror}"
    where = error.filename or "the output cannot be written"
    return f"{where}: {error.strerror}"


def _place_of(error: Exception) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return ""
    return f" ({os.path.basename(frame.tb_frame.f_code.co_filename)}:{frame.tb_lineno})"
