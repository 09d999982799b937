"""Idempotency keys that were used here, of a project that moves to the engine dbos.

A key of the local engine is known by the hash of job and key, and stands for a run, or one that
was deleted. In the database it stands for a run elsewhere: a trigger there runs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from durably_cli.engines import who
from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.store import Store
from durably_cli.project import stores
from durably_cli.system import clock, ids

if TYPE_CHECKING:
    from durably_cli.engines.dbos.engine import DbosEngine

_YOUNG = timedelta(days=1)


class Carrying(NamedTuple):
    """How many keys were carried, how many it knew, and which files nobody can read."""

    carried: int
    known: int
    unreadable: list[Path]


def carry_keys(project: Path, engine: DbosEngine) -> Carrying:
    """Have the keys that were used here stand in the database for runs that are here."""
    from durably_cli.engines.dbos.carried import CarriedKey, carry, known_names  # with psycopg

    store, host, known = stores.open_store(project), who.host(), known_names(engine.database)
    claims = list(_claims(store))
    new = carry(
        engine.database,
        [
            (path.name, CarriedKey(claim.run, host, claim.deleted))
            for path, claim in claims
            if path.name not in known
        ],
    )
    broken = [path for path, claim in Claims(store.root).all() if not isinstance(claim, Claim)]
    return Carrying(new, len(claims) - new, broken)


def young_keys(project: Path, engine: DbosEngine) -> int:
    """How many keys were used here within a day that the database knows nothing of."""
    from durably_cli.engines.dbos.carried import known_names  # with psycopg

    since = clock.utc_now() - _YOUNG
    young = {
        path.name
        for path, claim in _claims(stores.open_store(project))
        if ids.made_at(claim.run) > since
    }
    return len(young - known_names(engine.database)) if young else 0


def _claims(store: Store) -> Iterator[tuple[Path, Claim]]:
    """Those whose run is here, or was: of a run that was never made nothing is done yet."""
    for path, claim in Claims(store.root).all():
        if isinstance(claim, Claim) and (claim.deleted or _was_made(store, claim.run)):
            yield path, claim


def _was_made(store: Store, run_id: str) -> bool:
    return os.path.lexists(store.path_of(run_id)) or any(store.companions(run_id))
