"""What an exception does not say by itself, to be read below its traceback."""

from __future__ import annotations

import re

from durably_cli.values.untrusted import text_of

_HOW_TO_RUN = (
    "step.run takes a name, a function, and the function's arguments in their order:\n"
    'step.run("fetch", fetch, url)'
)

_OF_TYPE_ERRORS = {
    r"Step\.run\(\) got an unexpected keyword argument '(\w+)'": (
        "step.run passes no keywords on to the function; bind them to it:\n"
        'step.run("fetch", functools.partial(fetch, {0}=...)), or: lambda: fetch({0}=...)'
    ),
    r"Step\.run\(\) (missing|got some positional-only) .*": _HOW_TO_RUN,
    r"'Step' object is not callable": _HOW_TO_RUN,
    r"'Logger' object is not callable": "A line has a level: step.log.info(...), warn or error.",
}
"""What Python says where durably's API is called in a way that it has not, and what to write."""


def advice_on(error: BaseException) -> str:
    """Lines on what to do; none for nearly all exceptions."""
    if issubclass(type(error), SystemExit):
        return "A job or a step ends by returning: leaving by sys.exit() is a failure."
    if type(error) is TypeError:
        text = text_of(error)
        for said, advice in _OF_TYPE_ERRORS.items():
            if found := re.fullmatch(said, text):
                return advice.format(*found.groups())
    return ""
