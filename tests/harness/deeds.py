"""What a step can do to the process it is in, and how the command may end then."""

from __future__ import annotations

import signal
from typing import NamedTuple

JOB = """
    import locale, logging, multiprocessing, pathlib, resource, shutil, subprocess, threading
    import helpers

    @define_job
    def doer(step: Step, deed: str) -> str:
        step.run("first", effect, "first")
        effect("ack first")
        if step.attempt == 1:
            step.run("deed", do, step, deed)
            effect("ack deed")
        step.run("last", effect, "last")
        effect("ack last")
        return "done"

    def do(step: Step, deed: str) -> None:
        exec(deed, globals() | {"step": step})

    def data() -> pathlib.Path:
        return pathlib.Path(os.environ["DURABLY_DATA_DIR"])

    def journal(step: Step) -> pathlib.Path:
        return next(data().rglob(f"{step.run_id}.jsonl"))

    def lap(number: int, step: Step) -> None:
        for n in range(20):
            step.log.info(f"thread {number} says {n}")
"""

HELPERS = """
def double(number):
    return 2 * number
"""


class Deed(NamedTuple):
    """What a step does, the codes that its command and a resume may end with, what is said."""

    code: str
    ends: tuple[int, ...] = (0,)
    said: str = ""
    resumes: tuple[int, ...] = (0,)


FORKS = {
    "forks, and the child leaves": Deed("os.fork() or os._exit(0); os.wait()"),
    "forks, and the child raises": Deed("assert os.fork(); os.wait()"),
    "forks, and the child returns": Deed("os.fork() and os.wait()"),
    "forks, and the child exits": Deed("os.fork() or sys.exit(0); os.wait()"),
    "forks, and the child uses the step": Deed("os.fork() or step.log.info('x'); os.wait()"),
    "forks by multiprocessing": Deed(
        "assert multiprocessing.get_context('fork').Pool(2).map(helpers.double, [1, 2]) == [2, 4]"
    ),
    "spawns by multiprocessing": Deed(
        "assert multiprocessing.get_context('spawn').Pool(2).map(helpers.double, [1]) == [2]"
    ),
    "has threads that log": Deed(
        """
all = [threading.Thread(target=lap, args=(n, step)) for n in range(8)]
[each.start() for each in all]
[each.join() for each in all]
        """
    ),
    "has a thread that asks for a step": Deed(
        "t = threading.Thread(target=step.run, args=('x', int)); t.start(); t.join()"
    ),
    "has a thread that takes a name again": Deed(
        "t = threading.Thread(target=step.run, args=('first', int)); t.start(); t.join()",
        (1,),
        "'first' is used twice",
    ),
    "runs another program in its place": Deed(
        "os.execv(sys.executable, [sys.executable, '-c', 'import sys; sys.exit(3)'])", (3,)
    ),
}

ENDS = {
    "leaves at once": Deed("os._exit(0)", (0,)),
    "leaves at once with a code": Deed("os._exit(9)", (9,)),
    "aborts": Deed("os.abort()", (-signal.SIGABRT,)),
    "is killed for a bad address": Deed("os.kill(os.getpid(), 11)", (-signal.SIGSEGV,)),
    "raises SystemExit": Deed("raise SystemExit(0)", (1,), "SystemExit"),
    "raises KeyboardInterrupt": Deed("raise KeyboardInterrupt", (130,), "durably resume"),
    "raises GeneratorExit": Deed("raise GeneratorExit", (1,), "GeneratorExit"),
    "raises BaseException": Deed("raise BaseException('odd')", (1,), "odd"),
    "recurses without end": Deed(
        "f = lambda: f(); f.__globals__.update(f=f); f()", (1,), "Recursion"
    ),
    "raises MemoryError": Deed("raise MemoryError", (1,), "MemoryError"),
    "has no memory left": Deed(
        """
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY))
kept = bytearray(1 << 31)
        """,
        (1,),
        "MemoryError",
    ),
    "uses up its processor time": Deed(
        """
resource.setrlimit(resource.RLIMIT_CPU, (1, 2))
while True:
    pass
        """,
        (-signal.SIGXCPU,),
    ),
}

SURROUNDINGS = {
    "goes to another folder": Deed("os.chdir('/')"),
    "goes to a folder that is gone": Deed("os.mkdir('x'); os.chdir('x'); os.rmdir('../x')"),
    "masks all permissions": Deed("os.umask(0o777)"),
    "speaks another language": Deed("locale.setlocale(locale.LC_ALL, 'C.UTF-8')"),
    "empties its environment": Deed(
        "kept = os.environ['EFFECTS']; os.environ.clear(); os.environ['EFFECTS'] = kept"
    ),
    "moves the data folder in its environment": Deed("os.environ['DURABLY_DATA_DIR'] = '/nowhere'"),
    "may open no file": Deed(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(7)[1]))", (0, 1, 74)
    ),
    "may open few files": Deed(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (20, resource.getrlimit(7)[1]))"
    ),
    "ignores signals": Deed("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"),
    "puts something in place of stdout": Deed("import io; sys.stdout = sys.stderr = io.StringIO()"),
    "takes stdout away": Deed("sys.stdout = sys.stderr = None"),
    "closes stdout": Deed("sys.stdout.close(); sys.stderr.close()"),
    "closes the standard descriptors": Deed("os.close(0); os.close(1); os.close(2)"),
    "closes all descriptors": Deed("os.closerange(3, 4096)", (74,), "closed a descriptor"),
    "closes all and opens others": Deed(
        "os.closerange(3, 4096); sys.kept = [open('its-own', 'a') for _ in range(99)]",
        (74,),
        "closed a descriptor",
    ),
    "patches time": Deed("time.time = time.monotonic = time.perf_counter = lambda: -1.0"),
    "breaks json": Deed("import json; json.dumps = json.loads = None", (0, 1, 70)),
    "fills stdin, out and err of a child": Deed(
        "subprocess.run(['sh', '-c', 'echo x; echo y >&2'])"
    ),
    "removes its own file": Deed("os.unlink(do.__code__.co_filename)"),
}


FILES = {
    "removes the journal": Deed("journal(step).unlink()", (74,), "removed or replaced", (4,)),
    "removes the data folder": Deed("shutil.rmtree(data())", (74,), "removed or replaced", (4,)),
    "moves the journal": Deed("os.rename(journal(step), 'moved')", (0, 74), "", (4,)),
    "puts a copy in the journal's place": Deed(
        "j = journal(step); shutil.copy(j, 'copy'); os.rename('copy', j)", (74,), "replaced"
    ),
    "changes a byte of the journal": Deed(
        """
with open(journal(step), 'r+b') as file:
    found = file.read().index(b'"result":"first"') + 11
    file.seek(found)
    file.write(b'F')
        """,
        (74,),
        "is damaged at line",
        (74,),
    ),
    "cuts the journal": Deed("os.truncate(journal(step), 200)", (74,), "was changed", (74,)),
}
