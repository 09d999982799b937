"""A File is looked at when a result is written, comes back equal, and knows if it has changed."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SerializerFunctionWrapHandler, TypeAdapter, model_serializer
from typing_extensions import TypedDict

from durably_cli import File, Step, ValueRefused
from durably_cli.engines import payload
from durably_cli.values import convert, schema
from durably_cli.values.declared import UNDECLARED
from durably_cli.values.file import change_of
from durably_cli.values.plain import DoesNotFit
from durably_cli.values.strict_json import Json
from tests.harness import strategies

HELLO = hashlib.sha256(b"hello").hexdigest()


class Report(BaseModel):
    table: File
    others: list[File] = []
    picture: File | None = None


class Wrapped(BaseModel):
    table: File

    @model_serializer(mode="wrap")
    def _dumped(self, handler: SerializerFunctionWrapHandler) -> Any:
        return handler(self)


class WithBytes(BaseModel):
    table: File
    data: bytes = b""


@dataclasses.dataclass
class Pages:
    first: File
    count: int = 1


class Pair(NamedTuple):
    left: File
    right: File


class Named(TypedDict):
    file: File


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with a file."""
    monkeypatch.chdir(tmp_path)
    Path("out.csv").write_bytes(b"hello")
    yield tmp_path


def written(value: Any, declared: Any) -> Any:
    """What stands in JSON for a value, which comes back equal."""
    text, back = convert.round_trip(convert.converter(declared), value)
    assert back == value
    assert type(back) is type(value)
    return json.loads(text)


def refused(file: File, declared: Any = File, value: Any = None) -> str:
    with pytest.raises(ValueRefused) as caught:
        convert.round_trip(convert.converter(declared), file if value is None else value)
    return caught.value.reason


def journalled(file: File) -> File:
    """The file as a replay has it."""
    converter = convert.converter(File)
    return converter.load(convert.round_trip(converter, file)[0])  # type: ignore[no-any-return]


def test_its_json_says_which_file_it_is_and_what_is_in_it() -> None:
    mtime = os.stat("out.csv").st_mtime_ns
    plain = {"$file": "out.csv", "size": 5, "mtime": mtime, "sha256": HELLO}
    assert written(File("out.csv"), File) == plain
    assert written(File(Path("out.csv"), changed="fail"), File) == {**plain, "changed": "fail"}


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        ([File("out.csv"), File("b")], list[File]),
        ({"a": File("out.csv")}, dict[str, File]),
        ({File("out.csv"), File("b")}, set[File]),
        ((File("out.csv"), 1), tuple[File, int]),
        (File("out.csv"), File | None),
        (None, File | None),
        (File("out.csv"), str | File),
        ("out.csv", str | File),
        (File("out.csv"), dict[str, Any] | File),
        (Report(table=File("out.csv"), others=[File("b")], picture=File("b")), Report),
        ([Wrapped(table=File("out.csv"))], list[Wrapped]),
        (WithBytes(table=File("out.csv"), data=b"\xff"), WithBytes),
        (Pages(File("out.csv")), Pages),
        (Pair(File("out.csv"), File("b", changed="fail")), Pair),
        ({"file": File("out.csv")}, Named),
    ],
)
def test_it_stands_wherever_a_type_has_it(value: Any, declared: Any) -> None:
    Path("b").touch()
    assert '"$file":"out.csv"' in json.dumps(written(value, declared), separators=(",", ":")) or (
        value in (None, "out.csv")
    )


@given(strategies.texts, st.binary(max_size=50), st.sampled_from(("again", "fail")))
def test_whatever_is_in_it_it_comes_back(name: str, data: bytes, changed: Any) -> None:
    path = Path(f"x{hashlib.sha256(name.encode()).hexdigest()[:8]}")
    path.write_bytes(data)
    back = journalled(File(path, changed=changed))
    assert (back.path, back.size, back.changed) == (path, len(data), changed)
    assert back.sha256 == hashlib.sha256(data).hexdigest()
    assert back.is_unchanged()


@pytest.mark.parametrize("name", ["größe 表.csv", "a\nb", " ", "--help", "$file", '"', "\\", "😀"])
def test_any_name_that_is_text_will_do(name: str) -> None:
    Path(name).write_text("x")
    assert written(File(name), File)["$file"] == name
    assert str(journalled(File(name)).path) == name


def test_an_empty_file_and_a_large_one_will_do() -> None:
    for data in (b"", os.urandom(5_000_000)):
        Path("data").write_bytes(data)
        file = journalled(File("data"))
        assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert file.is_unchanged()


def test_a_link_leads_to_the_file(folder: Path) -> None:
    Path("link").symlink_to(folder / "out.csv")
    assert written(File("link"), File)["$file"] == "link"
    file = journalled(File("link"))
    assert file.sha256 == HELLO
    Path("out.csv").write_bytes(b"other")
    assert not file.is_unchanged()


def test_it_is_looked_at_when_it_is_written_not_when_it_is_made() -> None:
    file = File("later.csv")
    Path("later.csv").write_bytes(b"hel")
    assert file.size == 3
    Path("later.csv").write_bytes(b"hello")
    assert written(file, File)["sha256"] == HELLO
    assert file.size == 5


def test_what_it_has_is_looked_up_once_if_it_was_not_looked_at() -> None:
    file = File("out.csv")
    assert (file.size, file.sha256) == (5, HELLO)
    assert file.mtime == os.stat("out.csv").st_mtime_ns
    Path("out.csv").unlink()
    assert (file.size, file.sha256) == (5, HELLO)
    with pytest.raises(ValueRefused, match=r"out\.csv is not there"):
        File("out.csv").sha256  # noqa: B018


def make_fifo(path: str) -> None:
    os.mkfifo(path)


def make_socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkdir, "it is a folder; a File is one file: return a list of those in it"),
        (make_fifo, "it is a FIFO; a File is a regular file"),
        (make_socket, "it is a socket; a File is a regular file"),
        (lambda path: os.symlink("/dev/zero", path), "it is a device; a File is a regular file"),
        (lambda path: os.symlink("/dev/null", path), "it is a device; a File is a regular file"),
        (lambda path: os.symlink("it", path), "it cannot be read: Too many levels of symbolic"),
        (lambda path: os.symlink("no", path), "it is not there, in /"),
        (lambda path: None, "it is not there, in /"),
    ],
)
def test_what_is_no_regular_file_is_refused(make: Callable[[str], object], reason: str) -> None:
    make("it")
    assert refused(File("it")).startswith(reason)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nowhere/x", "/nowhere/x is not there"),
        ("out.csv/x", "out.csv/x is not there, in /"),
        ("x" * 300, f"{'x' * 300} cannot be read: File name too long"),
        ("a\0b", "a\0b cannot be read: "),
        ("\ud800", "\\ud800 cannot be read: "),
        ("", ". is a folder"),
    ],
)
def test_a_path_that_leads_to_none_is_refused(path: str, reason: str) -> None:
    assert refused(File(path)).startswith(reason)


@pytest.mark.skipif(sys.platform != "linux", reason="such files are there on Linux")
def test_a_file_that_cannot_be_read_or_is_written_meanwhile_is_refused() -> None:
    assert refused(File("/proc/self/mem")) == "/proc/self/mem cannot be read: Input/output error"
    assert refused(File("/proc/self/status")) == (
        "/proc/self/status changed while it was read: return it when it is written and closed"
    )


def test_a_file_that_another_one_replaces_meanwhile_is_refused() -> None:
    program = (
        "import os, sys\n"
        "from durably_cli import File\n"
        "def act(event, args):\n"
        "    if event == 'open' and str(args[0]) == 'out.csv' and os.path.exists('other'):\n"
        "        os.replace('other', 'out.csv')\n"
        "sys.addaudithook(act)\n"
        "File('out.csv').size\n"
    )
    Path("other").write_bytes(b"hallo")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "out.csv changed while it was read: return it when it is written" in done.stderr


def test_a_name_that_is_no_text_is_refused_with_what_to_do() -> None:
    name = os.fsdecode(b"x\xff")
    Path(name).touch()
    assert refused(File(name)).startswith("the text has a lone surrogate, as in the name of a file")


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        ([File("out.csv"), File("no")], list[File]),
        (File("no"), File | None),
        (File("no"), File | str),
        (File("no"), str | int | File),
        (Report(table=File("out.csv"), picture=File("no")), Report),
        (Wrapped(table=File("no")), Wrapped),
        (WithBytes(table=File("no"), data=b"\xff"), WithBytes),
    ],
)
def test_wherever_it_stands_a_refusal_says_why(value: Any, declared: Any) -> None:
    assert refused(File("no"), declared, value).startswith("no is not there, in /")


def test_what_is_no_file_is_refused_as_any_value_of_another_type() -> None:
    assert refused(File("x"), File, "out.csv") == "it is a str, and its declared type is File"
    reason = refused(File("out.csv"), UNDECLARED)
    assert reason.startswith("a File is not plain JSON; annotate what the function returns")


def test_a_step_hands_back_the_file_that_its_function_wrote() -> None:
    step = Step()

    def export(data: bytes) -> File:
        Path("export").write_bytes(data)
        return File("export")

    file = step.run("export", export, b"hello")
    assert (file, file.sha256) == (File("export"), HELLO)
    with open(file, "rb") as read:
        assert read.read() == b"hello"
    with pytest.raises(ValueRefused, match=r"result of step 'no' .* no is not there"):
        step.run("no", File, "no")


@pytest.mark.parametrize(
    ("act", "became"),
    [
        (lambda: None, None),
        (lambda: os.utime("out.csv", (1, 1)), None),
        (lambda: os.replace("copy", "out.csv"), None),
        (lambda: os.unlink("out.csv"), "out.csv is gone"),
        (lambda: Path("out.csv").write_bytes(b"x" * 12), "out.csv has changed (12 bytes, it had 5"),
        (lambda: Path("out.csv").write_bytes(b"x"), "out.csv has changed (1 byte, it had 5)"),
        (lambda: os.replace("other", "out.csv"), "out.csv has changed (its sha256 is another)"),
        (lambda: os.replace("folder", "out.csv"), "out.csv is a folder now"),
        (lambda: os.replace("fifo", "out.csv"), "out.csv is a FIFO now"),
        (lambda: os.replace("loop", "out.csv"), "out.csv cannot be read: Too many levels"),
    ],
)
def test_what_became_of_it_is_known(act: Callable[[], object], became: str | None) -> None:
    os.mkfifo("fifo")
    os.symlink("out.csv", "loop")
    for name, data in (("copy", b"hello"), ("other", b"hallo")):
        Path(name).write_bytes(data)
        os.utime(name, (1, 1))
    file = journalled(File("out.csv"))
    if became == "out.csv is a folder now":
        os.unlink("out.csv")
        os.mkdir("folder")
    act()
    found = change_of(file)
    assert found == became or (became is not None and (found or "").startswith(became))
    assert file.is_unchanged() is (became is None)


def test_a_file_of_the_same_size_and_time_is_not_read() -> None:
    file = journalled(File("out.csv"))
    status = os.stat("out.csv")
    Path("out.csv").write_bytes(b"hallo")
    os.utime("out.csv", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.is_unchanged()


def test_a_fifo_of_the_same_size_and_time_is_no_file() -> None:
    Path("out.csv").write_bytes(b"")
    file = journalled(File("out.csv"))
    assert file.mtime is not None
    os.unlink("out.csv")
    os.mkfifo("out.csv")
    os.utime("out.csv", ns=(file.mtime, file.mtime))
    assert change_of(file) == "out.csv is a FIFO now"


def test_one_that_was_never_looked_at_is_unchanged_if_it_is_there() -> None:
    assert File("out.csv").is_unchanged()
    assert not File("no").is_unchanged()


def test_files_are_equal_if_path_and_content_are() -> None:
    file = journalled(File("out.csv"))
    assert file == File("out.csv") == File(Path("./out.csv"))
    assert hash(file) == hash(File("out.csv"))
    assert file not in (File("no"), File("out.csv", changed="fail"), "out.csv")
    os.utime("out.csv", (1, 1))
    assert file == journalled(File("out.csv"))
    Path("out.csv").write_bytes(b"hallo")
    assert file != journalled(File("out.csv"))
    os.unlink("out.csv")
    assert file != File("out.csv")


def test_it_may_be_pickled_and_copied() -> None:
    for file in (File("no", changed="fail"), journalled(File("out.csv"))):
        for back in (pickle.loads(pickle.dumps(file)), copy.copy(file), copy.deepcopy(file)):
            assert back == file
            assert repr(back) == repr(file)
    os.unlink("out.csv")
    assert pickle.loads(pickle.dumps(file)).sha256 == HELLO


def test_it_is_written_as_it_is_made() -> None:
    assert repr(File("out.csv")) == "File('out.csv')"
    assert repr(File("a/b", changed="fail")) == "File('a/b', changed='fail')"


@pytest.mark.parametrize("name", ["path", "size", "mtime", "sha256", "changed", "other"])
def test_nobody_changes_it(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(File("out.csv"), name, "x")


def test_what_cannot_be_a_file_is_refused_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="changed is 'again' or 'fail', not 'never'"):
        File("out.csv", changed="never")  # type: ignore[arg-type]
    for path in (5, None, b"out.csv"):
        with pytest.raises(TypeError):
            File(path)  # type: ignore[arg-type]


def test_threads_that_write_files_at_once_do_not_mix() -> None:
    converter, reasons = convert.converter(list[File | str]), dict[str, str]()

    def write(name: str) -> None:
        with pytest.raises(ValueRefused) as caught:
            convert.round_trip(converter, [File("out.csv"), File(name)] * 20)
        reasons[name] = caught.value.reason.partition(" ")[0]

    threads = [threading.Thread(target=write, args=(f"no-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reasons == {name: name for name in reasons}
    assert len(reasons) == 8


def test_an_input_is_given_by_the_path() -> None:
    converter = convert.converter(Report)
    ready = payload.fill_defaults(converter, Json('{"table":"out.csv"}'), is_compared=True)
    assert json.loads(ready.input)["table"]["sha256"] == HELLO
    value = converter.load(ready.input)
    assert (value.table.path, value.table.size) == (Path("out.csv"), 5)
    again = payload.fill_defaults(converter, Json('{"table":"./out.csv"}'), is_compared=True)
    assert ready.canonical == again.canonical
    missing = payload.fill_defaults(converter, Json('{"table":"no"}'), is_compared=True)
    assert converter.load(missing.input).table == File("no")
    assert missing.canonical != ready.canonical


@pytest.mark.parametrize(
    "given",
    [
        "5",
        "{}",
        '{"$file":5}',
        '{"$file":"a","size":1}',
        '{"$file":"a","size":-1,"mtime":1,"sha256":"HELLO"}',
        '{"$file":"a","size":1,"mtime":"x","sha256":"HELLO"}',
        '{"$file":"a","size":1,"mtime":1,"sha256":"x"}',
        '{"$file":"a","size":1,"mtime":1,"sha256":"HELLO","changed":"never"}',
    ],
)
def test_json_of_no_file_is_refused_in_one_line(given: str) -> None:
    with pytest.raises(DoesNotFit) as caught:
        convert.converter(Report).load(Json(f'{{"table":{given.replace("HELLO", HELLO)}}}'))
    ((path, problem),) = caught.value.problems
    assert (path, problem) == (
        "table",
        'Input should be the path of a file, or an object such as {"$file": "out.csv"}',
    )


def test_json_without_a_time_is_read_by_its_content() -> None:
    text = Json('{"$file":"out.csv","size":5,"sha256":"HELLO"}'.replace("HELLO", HELLO))
    file = convert.converter(File).load(text)
    assert (file.mtime, file.is_unchanged()) == (None, True)
    Path("out.csv").write_bytes(b"hallo")
    assert not file.is_unchanged()


def test_its_schema_is_a_path_to_who_gives_it_and_an_object_to_who_gets_it() -> None:
    converter = convert.converter(Report)
    table, _, picture = schema.fields_of(converter.schema("validation"))
    assert (table.kind, picture.kind) == (schema.Kind.PATH, schema.Kind.PATH)
    assert table.type == "path or File"
    text = convert.round_trip(converter, Report(table=File("out.csv")))[0]
    for described in (converter.schema("validation"), converter.schema("serialization")):
        jsonschema.validate(json.loads(text), described)
    jsonschema.validate({"table": "out.csv"}, converter.schema("validation"))


def test_pydantic_leaves_it_as_it_is_in_python() -> None:
    file = File("no")
    assert Report(table=file).model_dump()["table"] is file
    assert TypeAdapter(File).validate_python(Path("no")) == file


def test_to_import_it_loads_no_pydantic() -> None:
    program = (
        "import sys; from durably import File; import durably_cli.values.named_files\n"
        "print(*sorted({'pydantic', 'pydantic_core', 'hashlib'} & set(sys.modules)), File('x'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "File('x')\n", done.stderr
