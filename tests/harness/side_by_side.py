"""A job whose steps run side by side, in each form, and the books on what it did and was given.

Each execution of a step appends `run <step> <token> <pid>` to a file, and each result that the
handler is handed `ack <step> <token> <pid> <size of the disk's log>`. What durably says on stderr
counts as well: a step of which it says that it is completed is acknowledged. The journal is never
asked.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from durably_cli.__main__ import main
from tests.conftest import Project, Result
from tests.harness import forking
from tests.harness.forking import How

FORMS = ("threads", "tasks")
SHAPES = ("map", "for_each", "own")
"""`own` is a pool of threads, or gather, of the handler's own."""

LISTS = "abc"
"""The names of the lists that it goes through, one after the other."""

JOB = """
    import asyncio, random, uuid
    from concurrent.futures import ThreadPoolExecutor
    from durably_cli import AsyncStep

    class Input(BaseModel):
        shape: str
        at_once: int = 8

    @define_job
    def threads(step: Step, payload: Input) -> dict[str, str]:
        found = {}
        for of in sorted(ITEMS):
            found |= THREADS[payload.shape](step, of, ITEMS[of], payload.at_once)
        return found

    @define_job
    async def tasks(step: AsyncStep, payload: Input) -> dict[str, str]:
        found = {}
        for of in sorted(ITEMS):
            found |= await TASKS[payload.shape](step, of, ITEMS[of], payload.at_once)
        return found

    with open("items") as file:
        ITEMS = {line[0]: line[1:].split() for line in file}

    def once(name: str) -> str:
        token = begun(name)
        time.sleep(random.random() * 0.004)
        return token

    async def once_on_loop(name: str) -> str:
        token = begun(name)
        await asyncio.sleep(random.random() * 0.004)
        return token

    def begun(name: str) -> str:
        token = uuid.uuid4().hex
        effect(f"run {name} {token} {os.getpid()}")
        failing = os.environ.get("FAILS_AT", "")
        if name in failing.split() and not os.path.exists("mended"):
            with open(os.environ["FAULT"], "w") as file:
                file.write(os.environ["FAILS"])
            effect(f"fault {name}")
        return token + "." * int(os.environ.get("PADDING", "0"))

    def ack(name: str, result: str) -> tuple[str, str]:
        log = os.environ.get("WRITE_LOG")
        size = os.stat(log).st_size if log else 0
        effect(f"ack {name} {result[:32]} {os.getpid()} {size}")
        return name, result[:32]

    def which(name: str):
        return once_on_loop if sum(name.encode()) % 2 else once

    def as_map(step, of, items, at_once):
        def fn(item: str) -> str:
            return once(f"{of}[{item}]")

        found = step.map(of, fn, items, concurrency=at_once)
        return dict(ack(f"{of}[{item}]", each) for item, each in zip(items, found, strict=True))

    def as_for_each(step, of, items, at_once):
        def body(step, item):
            return [ack(name, step.run(part, once, name)) for part, name in parts(of, item)]

        found = step.for_each(of, body, items, concurrency=at_once)
        return dict(sum(found, []))

    def as_pool(step, of, items, at_once):
        def one(item):
            name = f"{of}-{item}"
            return ack(name, step.run(name, once, name))

        with ThreadPoolExecutor(at_once) as pool:
            return dict(pool.map(one, items))

    async def as_async_map(step, of, items, at_once):
        def fn(item: str) -> str:
            return once(f"{of}[{item}]")

        async def fn_on_loop(item: str) -> str:
            return await once_on_loop(f"{of}[{item}]")

        found = await step.map(of, fn if of == "b" else fn_on_loop, items, concurrency=at_once)
        return dict(ack(f"{of}[{item}]", each) for item, each in zip(items, found, strict=True))

    async def as_async_for_each(step, of, items, at_once):
        async def body(step, item):
            return [
                ack(name, await step.run(part, which(name), name)) for part, name in parts(of, item)
            ]

        found = await step.for_each(of, body, items, concurrency=at_once)
        return dict(sum(found, []))

    async def as_gather(step, of, items, at_once):
        free = asyncio.Semaphore(at_once)

        async def one(item):
            name = f"{of}-{item}"
            async with free:
                return ack(name, await step.run(name, which(name), name))

        return dict(await asyncio.gather(*map(one, items)))

    def parts(of, item):
        return [(part, f"{of}[{item}].{part}") for part in ("one", "two")]

    THREADS = {"map": as_map, "for_each": as_for_each, "own": as_pool}
    TASKS = {"map": as_async_map, "for_each": as_async_for_each, "own": as_gather}
"""

_COMPLETED = re.compile(r"^step (\S+) completed in ", re.MULTILINE)


class Items(dict[str, list[int]]):
    """The items of each list that the job goes through."""

    def names(self, shape: str) -> set[str]:
        """The names of the steps that it asks for then."""
        each = [(of, item) for of, items in self.items() for item in items]
        if shape == "own":
            return {f"{of}-{item}" for of, item in each}
        items = {f"{of}[{item}]" for of, item in each}
        parts = {f"{name}.{part}" for name in items for part in ("one", "two")}
        return items if shape == "map" else parts

    @classmethod
    def of(cls, many: int, lists: str = LISTS) -> Items:
        """So many in each list."""
        return cls({name: [*range(many)] for name in lists})


class SideBySide:
    """A project whose job is this one, in one of its forms and shapes; and the books on one run."""

    def __init__(self, root: Path, form: str, shape: str, at_once: int = 8) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.project = Project(root)
        self.project.job(JOB, "side_by_side")
        self.form, self.shape, self.at_once = form, shape, at_once
        self.ask_for(Items.of(12))
        self.begin_again()

    def begin_again(self) -> None:
        """From now on the books are on another run."""
        self.project.effects_path.unlink(missing_ok=True)
        self.acknowledged: dict[str, str] = {}
        self.made: dict[str, set[str]] = {}
        self._said = set[str]()
        self._entered, self._names = 0, set[str]()
        self._executed = list[tuple[str, set[str]]]()

    def ask_for(self, items: Items) -> None:
        """Attempts that begin from now on go through these."""
        self.items = items
        text = "".join(f"{of} {' '.join(map(str, each))}\n" for of, each in items.items())
        (self.project.root / "items").write_text(text)

    def begin(self, key: str = "k") -> tuple[str, ...]:
        """The arguments that make the run of this key, or go on with it."""
        payload = ("-p", f"shape={self.shape}", "-p", f"at_once:={self.at_once}")
        return ("trigger", self.form, *payload, "--idempotency-key", key)

    def executions(self) -> int:
        """How many steps were executed, by all attempts, up to now."""
        return sum(line.startswith("run ") for line in self.project.effects)

    def attempt(self, *args: str, before: Callable[[], object] = lambda: None) -> Result:
        """Run `durably *args` in a process that does something before, and enter what it did."""

        def act() -> None:
            sys.argv = ["durably", *args]
            before()
            main()

        ended = forking.call(How(self.project.root, self.project.env, seconds=120), act)
        result = Result(ended.code, ended.out.decode(), ended.err.decode())
        self.enter(result)
        return result

    def enter(self, result: Result) -> None:
        """Enter what an attempt that has ended did: nobody else may have been executing since.

        AssertionError if it executed what was acknowledged, or more than `at_once` steps that a
        process before had executed, or if it took a result for another.
        """
        lines = self.project.effects[self._entered :]
        self._entered += len(lines)
        if lines:  # else the run had ended before
            self._names = self.items.names(self.shape)
        for line in lines:
            what, name, *words = line.split()
            if what == "run":
                self._enter_execution(name, *words, result)
            elif what == "ack":
                token = words[0]
                assert token in self.made.get(name, ()), f"{name}: no function gave that\n{result}"
                was = self.acknowledged.setdefault(name, token)
                assert was == token, f"{name} was replayed differently\n{result}"
        self._said |= set(_COMPLETED.findall(result.err))
        for pid, names in self._executed:
            later = {name for other, found in self._after(pid) for name in found}
            twice = names & later
            assert len(twice) <= self.at_once, f"{pid} had {twice} in flight\n{result}"

    def _enter_execution(self, name: str, token: str, pid: str, result: Result) -> None:
        assert name not in self.acknowledged, f"acknowledged, and executed again: {name}\n{result}"
        assert name not in self._said, f"said to be completed, and executed again: {name}\n{result}"
        if not self._executed or self._executed[-1][0] != pid:
            assert pid not in {each for each, _ in self._executed}, f"two executed it\n{result}"
            self._executed.append((pid, set()))
        assert name not in self._executed[-1][1], f"{name}: twice in one attempt\n{result}"
        self._executed[-1][1].add(name)
        self.made.setdefault(name, set()).add(token)

    def _after(self, pid: str) -> Iterable[tuple[str, set[str]]]:
        place = [each for each, _ in self._executed].index(pid)
        return self._executed[place + 1 :]

    def check_output(self, result: Result) -> None:
        """The run came to its end, with all that is asked for, as it was acknowledged."""
        assert result.code == 0, result
        found = {name: self.acknowledged.get(name) for name in self._names}
        assert json.loads(result.out) == found, result

    def behind_the_fault(self) -> list[str]:
        """The steps that were executed after the fault began."""
        lines = self.project.effects
        begun = next(n for n, line in enumerate(lines) if line.startswith("fault "))
        return [line.split()[1] for line in lines[begun:] if line.startswith("run ")]
