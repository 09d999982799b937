"""The commands: one file each, imported when it is called.

The table has what `durably --help` says of them: that imports none.
"""

from __future__ import annotations

COMMANDS = {
    "trigger": "Run a job, and print its output as JSON.",
    "resume": "Go on with a run where it was.",
    "verify": "Check journals, keys, locks and leftovers.",
    "repair": "Cut off what is damaged of a journal.",
    "delete": "Remove runs for good.",
    "prune": "Remove old runs for good.",
    "export": "Write a run into one file, to look at it elsewhere.",
    "import": "Bring a run in that was exported elsewhere.",
    "list": "List runs, newest first.",
    "inspect": "Show a run's whole story.",
    "logs": "Print the lines a run has logged.",
    "jobs": "Show the project's jobs, or one job's input.",
    "init": "Make a project: a folder with a job that works.",
    "info": "Show every setting and folder, and where each comes from.",
    "adopt": "Bring the runs along of a project that was moved or named.",
    "help": "Explain a topic.",
}
"""What each does, in the order of the list; its file has its name."""

_FILES = {"list": "list_", "import": "import_"}
"""Where that is a word of Python's."""


def module_of(command: str) -> str:
    """The name of the module that has a command of the table."""
    return f"{__name__}.{_FILES.get(command, command)}"
