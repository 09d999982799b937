"""Bundles that somebody made by hand: what they say is checked, and no more is believed than that.

One project and one process import them all, for a refused bundle leaves nothing.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.import_ import import_bundle
from durably_cli.engines.local.repair import find_cut, repair
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import is_imported, marker_of
from durably_cli.errors import Conflict, InvalidInput, JournalError
from durably_cli.journal import codec
from durably_cli.journal.blobs import Blobs
from durably_cli.journal.events import FORMAT, RunCreated
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted
from durably_cli.values.strict_json import Json

RUN = "01a21df2-6135-7776-9c08-615b983b9fba"
AT = "2026-11-27T12:00:00.000Z"
CREATED = RunCreated(FORMAT, RUN, "job", Json("{}"), AT, idempotency_key="k")
HASH = sha256(b"{}").hexdigest()
HEAD = {"bundle": 1, "run": RUN, "job": "job", "host": "h", "exported": AT, "durably": "0"}
HEAD |= {"source": None, "input_sha256": HASH}

Members = list[tuple[str, bytes]]


def journal(*events: Event) -> bytes:
    data, crc = b"", codec.seed(RUN)
    for seq, event in enumerate(events):
        line, crc = codec.encode(seq, event, crc)
        data += line
    return data


def whole(head: object = HEAD, lines: bytes = journal(CREATED)) -> Members:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return [("bundle.json", text), (f"{RUN}.jsonl", lines)]


def packed(
    members: Members,
    pax: dict[str, str] | None = None,
    change: Callable[[tarfile.TarInfo], None] = lambda _: None,
) -> bytes:
    """The archive, the last member with these headers and changed so."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for number, (name, data) in enumerate(members, 1):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            if number == len(members):
                member.pax_headers = pax or {}
                change(member)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def of_type(kind: bytes) -> Callable[[tarfile.TarInfo], None]:
    return lambda member: setattr(member, "type", kind)


def with_header(data: bytes) -> bytes:
    """A bundle whose first member is a pax header of these bytes."""
    header = tarfile.TarInfo("x")
    header.size, header.type = len(data), tarfile.XHDTYPE
    block = header.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)
    return gzip.compress(block + gzip.decompress(packed(whole())))


REFERENCE = Json(f'{{"$blob":"{RUN}.blobs/{"0" * 64}","bytes":"many","preview":""}}')
BAD: dict[str, tuple[bytes, str]] = {
    "nested": (packed(whole(b"[" * 100_000 + b"]" * 100_000)), "bundle.json is not first"),
    "a list": (packed(whole([1])), "bundle.json is not first"),
    "a job that is a number": (packed(whole(HEAD | {"job": 7})), "does not say what it should"),
    "a host that is a list": (packed(whole(HEAD | {"host": ["\x1b"]})), "does not say"),
    "a run that leads elsewhere": (packed(whole(HEAD | {"run": "../../x"})), "it names none"),
    "a run that is none": (packed(whole(HEAD | {"run": RUN[:-1] + "g"})), "it names none"),
    "a hash that is none": (packed(whole(HEAD | {"input_sha256": "../x"})), "no sha256"),
    "a hash of another type": (packed(whole(HEAD | {"input_sha256": {}})), "no bundle"),
    "another job": (packed(whole(HEAD | {"job": "other"})), "a run of 'other'"),
    "another run": (
        packed(whole(HEAD, journal(CREATED._replace(run=RUN.replace("0", "1"))))),
        "the journal of another run",
    ),
    "a name given twice": (packed(whole(b'{"bundle":1,' + json.dumps(HEAD)[1:].encode())), "first"),
    "a member twice": (packed([*whole(), whole()[1]]), "in it twice"),
    "sparse": (packed(whole(), None, of_type(tarfile.GNUTYPE_SPARSE)), "not a regular file"),
    "sparse by a header": (
        packed(whole(), {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}),
        "sparse",
    ),
    "sparse by an older header": (packed(whole(), {"GNU.sparse.map": "0,9"}), "sparse"),
    "a link": (packed(whole(), None, of_type(tarfile.SYMTYPE)), "not a regular file"),
    "a device": (packed(whole(), None, of_type(tarfile.CHRTYPE)), "not a regular file"),
    "a size that is none": (packed(whole(), {"size": "-1"}), "bytes"),
    "a size beyond the archive": (packed(whole(), {"size": "9" * 15}), "ends too early"),
    "a header without a length": (with_header(b"path=x\n"), "makes no sense"),
    "a header that goes on": (with_header(b"99 path=x\n"), "makes no sense"),
    "a header of nothing": (with_header(b"0 path=x\n"), "makes no sense"),
    "a header that is no text": (with_header(b"\xff\xfe\x00\n"), "makes no sense"),
    "a header as large as memory": (with_header(b"x" * 100_000), "header of 100,000 bytes"),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store without any run."""
    store = Store(tmp_path / "store")
    store.root.mkdir(0o700)
    yield store
    left = list(store.temporary.rglob("*")) if store.temporary.exists() else []
    assert left == []


@pytest.mark.parametrize("what", BAD)
def test_what_makes_no_sense_is_refused_in_a_line_and_leaves_nothing(
    store: Store, what: str
) -> None:
    data, said = BAD[what]
    for adopt in (False, True):
        with pytest.raises(InvalidInput, match=said) as caught:
            import_bundle(io.BytesIO(data), store, adopt=adopt)
        assert "\n" not in caught.value.what
    assert list(store.run_ids()) == []
    assert not (store.root / "keys").exists()


def test_a_journal_that_names_a_large_result_without_a_size_is_damaged(store: Store) -> None:
    lines = journal(CREATED, StepCompleted("large", 1, REFERENCE, AT))
    found = import_bundle(io.BytesIO(packed(whole(HEAD, lines))), store, adopt=False)
    assert found.damage is not None
    assert "is no reference" in found.damage.reason


@pytest.mark.parametrize("data", [b'"\x1b[31m"', b"[1,\r2]", b'"\xff"'])
def test_a_large_result_that_is_no_line_of_json_is_not_handed_out(
    store: Store, data: bytes
) -> None:
    name = sha256(data).hexdigest()
    text = json.dumps({"$blob": f"{RUN}.blobs/{name}", "bytes": len(data), "preview": ""})
    reference = Json(text.replace(" ", ""))
    members = whole(HEAD, journal(CREATED, StepCompleted("large", 1, reference, AT)))
    bundle = packed([*members, (f"{RUN}.blobs/{name}", data)])
    import_bundle(io.BytesIO(bundle), store, adopt=False)
    with pytest.raises(ValueError, match="not JSON as durably writes it"):
        Blobs(store.path_of(RUN)).get(reference)


def test_a_bundle_that_another_tar_made_is_taken(store: Store) -> None:
    data = b'"large"'
    name = f"{RUN}.blobs/{sha256(data).hexdigest()}"
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        for member, content in [*whole(), (name, data)]:
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    import_bundle(io.BytesIO(made.getvalue()), store, adopt=False)
    assert (Blobs(store.path_of(RUN)).folder / name.split("/")[1]).read_bytes() == data


OTHER = "01a21df2-6135-7776-9c08-615b983b9fbb"


@pytest.mark.parametrize("was_here", [False, True])
def test_adopt_looks_again_once_it_has_claimed(
    store: Store, monkeypatch: pytest.MonkeyPatch, was_here: bool
) -> None:
    bundle = packed(whole())
    if was_here:
        import_bundle(io.BytesIO(bundle), store, adopt=False)
    make = Claims.make

    def beaten(claims: Claims, job: str, key: str, claim: Claim) -> bool:
        make(claims, job, key, Claim(OTHER, HASH))  # another process comes between
        return make(claims, job, key, claim)

    monkeypatch.setattr(Claims, "make", beaten)
    with pytest.raises(Conflict, match="is another run's"):
        import_bundle(io.BytesIO(bundle), store, adopt=True)
    assert is_imported(store.path_of(RUN)), "it stays read-only"


def test_adopt_claims_before_the_run_may_be_resumed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, seen = Claims.make, list[bool]()

    def looked_at(claims: Claims, *args: Any) -> bool:
        seen.append(marker_of(store.path_of(RUN)).exists())
        return make(claims, *args)

    monkeypatch.setattr(Claims, "make", looked_at)
    import_bundle(io.BytesIO(packed(whole())), store, adopt=True)
    assert seen == [True]
    assert not is_imported(store.path_of(RUN))
    assert Claims(store.root).find("job", "k") == Claim(RUN, HASH)


def test_repair_cuts_nothing_but_what_was_shown(store: Store) -> None:
    steps = [StepCompleted(f"s{n}", 1, Json(str(n)), AT) for n in range(4)]
    import_bundle(io.BytesIO(packed(whole(HEAD, journal(CREATED, *steps)))), store, adopt=True)
    path = store.path_of(RUN)
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"s3"', b'"xx"'))
    cut = find_cut(store, RUN)
    assert cut is not None
    for worse in (data.replace(b'"s1"', b'"xx"'), data.replace(b'"s3"', b'"xx"') + b"more\n", data):
        path.write_bytes(worse)
        with pytest.raises(JournalError, match="has changed since it was looked at"):
            repair(store, RUN, cut)
        assert path.read_bytes() == worse
        assert list(store.companions(RUN)) == []
    path.write_bytes(data.replace(b'"s3"', b'"xx"'))
    repair(store, RUN, cut)
    with store.view(RUN) as view:
        assert view.state.completed_steps == 3
