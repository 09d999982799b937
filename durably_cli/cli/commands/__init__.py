"""The commands: one file each, imported when it is called.

The table has what `durably --help` says of them: that imports none.
"""

from __future__ import annotations

GROUPS = {
    "Run": {
        "trigger": "Run a job: its fields are flags, its output is JSON.",
        "resume": "Go on with a run where it was, after a failure or a crash.",
        "fork": "Make a new run that starts with the results of one that has ended.",
        "signal": "Send a run the signal that a step of it waits for.",
        "approve": "Say yes to the question of a run.",
        "deny": "Say no to the question of a run.",
        "cancel": "End a run for good, and what it started.",
        "wait": "Wait until runs have ended, and end as they did.",
    },
    "Look": {
        "list": "List runs, newest first.",
        "inspect": "Show a run's whole story.",
        "logs": "Print the lines a run has logged.",
        "jobs": "Show the project's jobs, or what one takes.",
    },
    "Cron": {
        "schedule": "Print the crontab line or systemd units of a job, or install them.",
        "tick": "Take up runs that are due, or whose process died: for cron.",
    },
    "Project": {
        "init": "Make a project: a job that works, and its test.",
        "test": "Kill a job at each place, resume it, and say what happened twice.",
        "info": "Show every setting and folder, and where each comes from.",
        "help": "Explain a topic, such as jobs, steps, testing or deploying.",
    },
    "Workers": {
        "worker": "Execute runs, on this machine, until it is stopped.",
        "engine": "Make the tables of the engine dbos, or show its workers and queues.",
    },
    "Keep": {
        "verify": "Check journals, keys, locks and leftovers, or what cron sees.",
        "repair": "Cut off what is damaged of a journal, and keep the original.",
        "prune": "Remove old runs for good.",
        "delete": "Remove the runs that are named for good.",
        "export": "Write a run into one file, to look at it elsewhere.",
        "import": "Bring in a run that was exported, or those of a moved project.",
    },
}
"""What each does, by what it is for, in the order in which they are needed."""

COMMANDS = {name: line for group in GROUPS.values() for name, line in group.items()}
"""The same without the groups. The file of a command has its name."""

TAKE_JOBS = frozenset(("trigger", "resume", "fork", "jobs", "schedule"))
"""Those that import jobs: of a script, only in a process of its own."""

_FILES = {"list": "list_", "import": "import_"}
"""Where that is a word of Python's."""


def module_of(command: str) -> str:
    """The name of the module that has a command of the table."""
    return f"{__name__}.{_FILES.get(command, command)}"
