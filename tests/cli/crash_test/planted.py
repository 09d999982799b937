"""Jobs with a fault each that only a crash shows, and the same jobs mended.

The folder `world`, which is watched, has a file `inbox` with a letter, and `count` with a number.
"""

from __future__ import annotations

from typing import NamedTuple


class Planted(NamedTuple):
    """A job with a fault; what is found of it, of which step, and words of what would mend it."""

    source: str
    kinds: tuple[str, ...]
    step: str | None
    mend: str
    words: tuple[str, ...] = ()
    is_quick: bool = False
    """Is it among those that are always tried?"""
    varies: bool = False
    """Do chance or threads decide which places a run comes to, so that one may not be met again?"""


def module(source: str) -> str:
    """The text of a job module, of a job that is called `work`."""
    defined = "async def work" if "async def work" in source else "def work"
    before, work, rest = source.partition(defined)
    return f"{PRELUDE}{before}@define_job\n{work}{rest}"


PRELUDE = """
import random, sqlite3, tempfile, time, uuid, asyncio
from pathlib import Path
from durably import AsyncStep, NotDone, Step, define_job, idempotency_key
WORLD = Path(__file__).resolve().parents[1] / "world"

def append(line):
    with (WORLD / "log").open("a") as file:
        file.write(f"{line}\\n")

def nothing():
    pass

"""

FAULTS = {
    "append": Planted(
        """
def work(step: Step) -> None:
    for name in ("ann", "bob"):
        step.run(f"send-{name}", append, name)
""",
        ("twice",),
        "send-ann",
        "idempotency_key",
        is_quick=True,
    ),
    "row": Planted(
        """
def work(step: Step) -> None:
    step.run("insert", insert)

def insert() -> None:
    with sqlite3.connect(WORLD / "money.db") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS paid (amount)")
        connection.execute("INSERT INTO paid VALUES (5)")
    connection.close()
""",
        ("twice",),
        "insert",
        "step.transaction",
        is_quick=True,
    ),
    "row-with-a-time": Planted(
        """
def work(step: Step) -> None:
    step.run("insert", insert)

def insert() -> None:
    with sqlite3.connect(WORLD / "money.db") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS paid (amount, at)")
        connection.execute("INSERT INTO paid VALUES (5, ?)", (time.time(),))
    connection.close()
""",
        ("twice",),
        "insert",
        "step.transaction",
    ),
    "counter": Planted(
        """
def work(step: Step) -> None:
    step.run("count", count)

def count() -> None:
    path = WORLD / "count"
    path.write_text(str(int(path.read_text()) + 1))
""",
        ("fails", "other"),  # empty in between: no number
        "count",
        "os.replace",
    ),
    "counter-in-a-database": Planted(
        """
def work(step: Step) -> None:
    step.run("make", change, "CREATE TABLE IF NOT EXISTS t AS SELECT 1 AS n")
    step.run("count", change, "UPDATE t SET n = n + 1")

def change(statement: str) -> None:
    with sqlite3.connect(WORLD / "money.db") as connection:
        connection.execute(statement)
    connection.close()
""",
        ("other",),
        "count",
        "step.transaction",
    ),
    "spool": Planted(
        """
def work(step: Step) -> None:
    step.run("mail", mail, "ann")

def mail(to: str) -> None:
    (WORLD / f"{uuid.uuid4()}.eml").write_text(f"to {to}")
""",
        ("twice",),
        "mail",
        "idempotency_key",
    ),
    "half-written": Planted(
        """
def work(step: Step) -> int:
    step.run("fetch", fetch)
    return step.run("size", size)

def fetch() -> None:
    path = WORLD / "fetched"
    if path.exists():
        return
    with path.open("w") as file:
        for n in range(3):
            file.write(f"{n}\\n")
            file.flush()

def size() -> int:
    return len((WORLD / "fetched").read_text())
""",
        ("less",),
        "fetch",
        "os.replace",
    ),
    "half-written-by-write-text": Planted(
        """
def work(step: Step) -> None:
    step.run("fetch", fetch)

def fetch() -> None:
    path = WORLD / "fetched"
    if not path.exists():
        path.write_text("all of it")
""",
        ("less",),
        "fetch",
        "os.replace",
        is_quick=True,
    ),
    "order-of-a-set": Planted(
        """
def work(step: Step) -> None:
    for n, name in enumerate({"ann", "bob", "cid", "dan", "eve"}):
        step.run(f"send-{n}", len, name)
""",
        ("asked",),
        "send-0",
        "sort",
    ),
    "names-in-the-order-of-a-set": Planted(
        """
def work(step: Step) -> None:
    for name in {"ann", "bob", "cid", "dan", "eve"}:
        step.run(name, nothing)
""",
        ("asked",),
        "",
        "sort",
    ),
    "chance-decides-what-is-asked-for": Planted(
        """
def work(step: Step) -> None:
    step.run("begin", nothing)
    step.run(f"try-{random.randrange(10 ** 9)}", nothing)
""",
        ("asked",),
        "",
        "time, chance",
        varies=True,
    ),
    "chance": Planted(
        """
def work(step: Step) -> None:
    token = random.random()
    step.run("one", str, token)
    step.run("two", lambda: token)
""",
        ("asked",),
        "one",
        "time, chance",
        is_quick=True,
    ),
    "time": Planted(
        """
def work(step: Step) -> None:
    now = time.time()
    step.run("one", lambda: now)
""",
        ("asked",),
        "one",
        "step.created_at",
    ),
    "chance-in-the-output": Planted(
        """
def work(step: Step) -> dict:
    step.run("one", nothing)
    return {"token": random.random()}
""",
        ("output",),
        None,
        "time, chance",
        is_quick=True,
    ),
    "reads-what-it-deleted": Planted(
        """
def work(step: Step) -> str:
    return step.run("take", take)

def take() -> str:
    text = (WORLD / "inbox").read_text()
    (WORLD / "inbox").unlink()
    return text
""",
        ("fails",),
        "take",
        "in_doubt=look",
        is_quick=True,
    ),
    "between-the-steps": Planted(
        """
def work(step: Step) -> None:
    step.run("one", nothing)
    append("done")
    step.run("two", nothing)
""",
        ("twice",),
        None,
        "into a step",
        is_quick=True,
    ),
    "swallowed-by-the-step": Planted(
        """
def work(step: Step) -> str:
    return step.run("make", make)

def make() -> str:
    try:
        (WORLD / "new").mkdir()
    except FileExistsError:
        return "was there"
    return "made"
""",
        ("result",),
        "make",
        "in_doubt=look",
    ),
    "swallowed-by-the-handler": Planted(
        """
def work(step: Step) -> str:
    try:
        return step.run("take", take)
    except Exception:
        return "nothing there"

def take() -> str:
    text = (WORLD / "inbox").read_text()
    (WORLD / "inbox").unlink()
    return text
""",
        ("output",),
        "take",
        "in_doubt=look",
    ),
    "left-behind": Planted(
        """
def work(step: Step) -> None:
    step.run("write", write)

def write() -> None:
    fd, part = tempfile.mkstemp(dir=WORLD)
    with open(fd, "w") as file:
        file.write("all of it")
    Path(part).replace(WORLD / "whole")
""",
        ("left",),
        "write",
        "temporary file",
    ),
    "in-a-map": Planted(
        """
def work(step: Step) -> None:
    step.map("send", append, ["ann", "bob", "cid"], concurrency=2)
""",
        ("twice",),
        "",
        "idempotency_key",
        varies=True,
    ),
    "in-an-async-handler": Planted(
        """
async def work(step: AsyncStep) -> None:
    await asyncio.gather(step.run("one", send, "ann"), step.run("two", append, "bob"))

async def send(name: str) -> None:
    append(name)
""",
        ("twice",),
        "",
        "idempotency_key",
    ),
    "by-a-program": Planted(
        """
def work(step: Step) -> None:
    step.sh("send", "echo ann >> log", cwd=WORLD)
""",
        ("twice",),
        "send",
        "idempotency_key",
    ),
    "in-a-child-run": Planted(
        """
def work(step: Step) -> None:
    step.run_job("apply", child, 1)

@define_job
def child(step: Step, n: int) -> None:
    step.run("send", append, n)
""",
        ("twice",),
        "child: send",
        "idempotency_key",
    ),
    "between-the-steps-of-a-child-run": Planted(
        """
def work(step: Step) -> None:
    step.run_job("apply", child, 1)

@define_job
def child(step: Step, n: int) -> None:
    append("done")
    step.run("one", nothing)
""",
        ("twice",),
        "apply",
        "into a step",
    ),
    "behind-a-wait": Planted(
        """
def work(step: Step) -> None:
    step.sleep("until tomorrow", "1d")
    step.wait_signal("go", bool)
    step.poll("there", lambda: True, every="1h")
    step.run("send", append, "ann")
""",
        ("twice",),
        "send",
        "idempotency_key",
        ("--signal", "go=true"),
    ),
    "in-a-look": Planted(
        """
def work(step: Step) -> None:
    step.run("send", append, "ann", in_doubt=look)

def look(name: str) -> None:
    raise NotDone
""",
        ("twice",),
        "send",
        "in_doubt=look",
    ),
}

MENDED = {
    "append": """
def work(step: Step) -> None:
    for name in ("ann", "bob"):
        step.run(f"send-{name}", append, name, in_doubt=look)

def look(name: str) -> None:
    log = WORLD / "log"
    if not log.exists() or name not in log.read_text().split():
        raise NotDone
""",
    "row": """
def work(step: Step) -> None:
    step.transaction("insert", WORLD / "money.db", insert)

def insert(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS paid (amount, at)")
    connection.execute("INSERT INTO paid VALUES (5, ?)", (time.time(),))
""",
    "counter": """
def work(step: Step) -> None:
    before = step.run("read", read)
    step.run("count", write, before + 1)

def read() -> int:
    return int((WORLD / "count").read_text())

def write(number: int) -> None:
    part = WORLD / "count.part"
    part.write_text(str(number))
    part.replace(WORLD / "count")
""",
    "spool": """
def work(step: Step) -> None:
    step.run("mail", mail, "ann")

def mail(to: str) -> None:
    (WORLD / f"{idempotency_key()}.eml").write_text(f"to {to}")
""",
    "half-written": """
def work(step: Step) -> None:
    step.run("fetch", fetch)

def fetch() -> None:
    path, part = WORLD / "fetched", WORLD / "fetched.part"
    if not path.exists():
        part.write_text("all of it")
        part.replace(path)
""",
    "chance": """
def work(step: Step) -> dict:
    token, now = step.run("token", random.random), step.run("now", time.time)
    for n, name in enumerate(sorted({"ann", "bob", "cid"})):
        step.run(f"send-{n}", str, f"{name} {token}")
    return {"token": token, "now": now, "at": str(step.created_at)}
""",
    "stops": """
def work(step: Step) -> None:
    step.run("send", append, "ann", in_doubt="stop")
    step.sh("more", "echo bob >> log", cwd=WORLD, in_doubt="stop")
""",
    "opaque": """
class Server:
    pass

def work(step: Step) -> None:
    server, tags = Server(), {"b", "a", "c"}
    step.run("one", nothing_of, server, tags, lambda: server)
    step.map("two", len, iter([["x"]]), key=str)
    with_scope = step.scope("s")
    with_scope.run("three", nothing)
    step.for_each("four", body, ["x", "y"])

def nothing_of(*args: object) -> None:
    pass

def body(step: Step, item: str) -> str:
    return step.run("five", str.upper, item, returns=str)
""",
}
"""What each is mended by, and kinds of steps with which nothing is wrong."""
