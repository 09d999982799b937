"""What is in watched files and folders, as it can be compared: lines of texts, rows of databases.

Of a file that is another one in each undisturbed run only counts are compared.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from durably_cli.cli.crash_test.watched import BESIDE
from durably_cli.system.databases.database import TABLE
from durably_cli.values.quantities import plural

if TYPE_CHECKING:
    from durably_cli.render.crash_types import FaultKind

_SQLITE = b"SQLite format 3\x00"
_LONGEST = 1 << 20
_SHOWN = 60

FOLDER, LINK, TEXT, BYTES, ROWS = "folder", "link", "text", "bytes", "rows"


class Content(NamedTuple):
    """A folder, a link to `parts`, a text of these lines, the digest of bytes, rows of a table."""

    kind: str
    parts: tuple[str, ...] = ()


Otherwise: TypeAlias = "tuple[FaultKind, str]"
"""In what way something is different, and in words."""

Contents = dict[str, Content]
"""By path; of a table by `path: table`."""


class Difference(NamedTuple):
    """What is different at a path: `twice`, `less`, `order`, in words."""

    path: str
    kind: FaultKind
    said: str


def read_contents(paths: Sequence[Path], scratch: Path) -> Contents:
    """All that is there now; databases are read from copies in the scratch folder."""
    found = Contents()
    for path in paths:
        for each in _tree(path):
            found |= _content(each, scratch)
    return found


def _tree(path: Path) -> Iterator[Path]:
    if not os.path.lexists(path):
        return
    yield path
    if path.is_dir() and not path.is_symlink():
        for name in sorted(os.listdir(path)):
            if not any(name.endswith(end) and _has(path, name, end) for end in BESIDE):
                yield from _tree(path / name)


def _has(folder: Path, name: str, end: str) -> bool:
    return (folder / name.removesuffix(end)).is_file()


def _content(path: Path, scratch: Path) -> Contents:
    name = str(path)
    if path.is_symlink():
        return {name: Content(LINK, (os.readlink(path),))}
    if path.is_dir():
        return {name: Content(FOLDER, tuple(sorted(os.listdir(path))))}
    with path.open("rb") as file:
        head = file.read(_LONGEST + 1)
    if head.startswith(_SQLITE):
        return _tables(path, scratch)
    if len(head) <= _LONGEST:
        try:
            return {name: Content(TEXT, tuple(head.decode("utf-8").splitlines()))}
        except UnicodeDecodeError:
            pass
    return {name: Content(BYTES, (_digest_of(path),))}


def _digest_of(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(_LONGEST):
            digest.update(block)
    return digest.hexdigest()


def _tables(path: Path, scratch: Path) -> Contents:
    """Its rows, read from a copy: to open a database may write beside it."""
    found = {str(path): Content(FOLDER)}
    with TemporaryDirectory(dir=scratch) as folder:
        copy = Path(folder) / "copy.db"
        for end in ("", "-wal", "-journal"):
            with_end = path.with_name(path.name + end)
            if with_end.exists():
                shutil.copyfile(with_end, f"{copy}{end}")
        try:
            with closing(sqlite3.connect(copy)) as connection:
                connection.text_factory = lambda data: data.decode("utf-8", "replace")
                names = connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE"
                    " 'sqlite_%' AND sql NOT LIKE 'CREATE VIRTUAL%'"
                )
                for (table,) in names.fetchall():
                    if table != TABLE:
                        quoted = table.replace('"', '""')
                        rows = connection.execute(f'SELECT * FROM "{quoted}"')
                        shown = tuple(", ".join(map(str, row)) for row in rows)
                        found[f"{path}: {table}"] = Content(ROWS, shown)
        except sqlite3.Error:
            return {str(path): Content(BYTES, (_digest_of(path),))}
    return found


def differences(ought: Contents, varied: Contents, found: Contents) -> list[Difference]:
    """What is found otherwise than it ought to be; `varied` is what it was another time."""
    said = list[Difference]()
    for path in {**ought, **found}:
        usual, other, now = ought.get(path), varied.get(path), found.get(path)
        folder = os.path.dirname(path)
        if usual is None and other is None:
            names_vary = ought.get(folder) != varied.get(folder)
            if now is not None and not names_vary:
                said.append(Difference(path, "left", "is there, which an undisturbed run lacks"))
        elif now is None:
            if usual is not None and other is not None:
                said.append(Difference(path, "gone", "is not there, and ought to be"))
        elif usual is not None and other is not None and now not in (usual, other):
            otherwise = _difference(usual, other, now)
            if otherwise is not None:
                said.append(Difference(path, *otherwise))
    return said


def _difference(usual: Content, other: Content, now: Content) -> Otherwise | None:
    if now.kind == FOLDER == usual.kind:  # what is in it says so itself, where names stay
        return None if usual == other else _counted("entry", usual, other, now)
    if now.kind != usual.kind or now.kind not in (TEXT, ROWS):
        return ("other", "is not the same") if usual == other else None
    many = "line" if now.kind == TEXT else "row"
    if usual != other:
        return _counted(many, usual, other, now)
    before, after = Counter(usual.parts), Counter(now.parts)
    more, less = after - before, before - after
    if not more and not less:
        return None if now.kind == ROWS else ("order", f"has its {many}s in another order")
    if not less:
        said = f"{_first(more)} {plural(more.total(), 'time')} more"
        is_again = all(part in before for part in more)
        return "twice" if is_again or many == "row" else "more", f"has the {many} {said}"
    if not more:
        return "less", f"lacks {plural(less.total(), many)}, as {_first(less)}"
    if len(now.parts) > len(usual.parts):
        return "twice", f"has {_counts(many, usual, now)}, as {_first(more)}"
    return "other", f"has {_first(more)} in place of {_first(less)}"


def _counted(many: str, usual: Content, other: Content, now: Content) -> Otherwise | None:
    counts = sorted((len(usual.parts), len(other.parts)))
    if len(now.parts) > counts[1]:
        return "twice", f"has {_counts(many, usual, now)}"
    if len(now.parts) < counts[0]:
        return "less", f"has {_counts(many, usual, now)}"
    return None


def _counts(many: str, usual: Content, now: Content) -> str:
    found = "entries" if many == "entry" else f"{many}s"
    return f"{len(now.parts)} {found} in place of {len(usual.parts)}"


def _first(parts: Mapping[str, int]) -> str:
    text = next(iter(parts))
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}...")
