"""A job's input on its way to the journal and to the handler: defaults filled in, secrets read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from durably_cli import values
from durably_cli.codec import to_json
from durably_cli.errors import ValueRefused
from durably_cli.events import Json
from durably_cli.secret import (
    HOW_TO_REFER,
    Place,
    SecretMissing,
    Secrets,
    has_secrets,
    is_reference,
    places,
    resolve,
)
from durably_cli.values import Converter, DoesNotFit


class Payload(NamedTuple):
    """The input as the handler gets it, and the secrets that it holds."""

    value: Any
    secrets: Secrets


def read(converter: Converter, text: Json) -> Payload:
    """The payload of an input, its secrets read from where they come. DoesNotFit if it is none."""
    schema = converter.schema("validation")
    if not has_secrets(schema):
        return Payload(converter.load(text), Secrets())
    root = [json.loads(text)]
    known: dict[str, str] = {}
    problems: list[tuple[str, str]] = []
    for place in places(schema, root):
        try:
            known[place.path] = place.container[place.key] = resolve(place.value)
        except SecretMissing as missing:
            problems.append((place.path, str(missing)))
    if problems:
        raise DoesNotFit(problems)
    try:
        value = converter.load(Json(to_json(root[0])))
    except DoesNotFit as error:
        secrets = Secrets(known)
        masked = [(path, secrets.mask(problem)) for path, problem in error.problems]
        raise DoesNotFit(masked) from None
    defaults = {place.path: secret for place, secret in _secrets_of(converter, value)}
    return Payload(value, Secrets(defaults | known))


def settle(converter: Converter, text: Json) -> Json:
    """The input that a run is made with: as given, with the defaults of this moment filled in.

    So a `default_factory` gives a resumed run what it gave the first attempt. Of a secret it has
    where it comes from, be that given or the model's default. DoesNotFit if the type rejects the
    input. It stays as given where the type would not read its own output back.
    """
    schema = converter.schema("validation")
    if not has_secrets(schema):
        return values.settled(converter, text)
    value = read(converter, text).value
    given = {place.path: place.value for place in places(schema, [json.loads(text)])}
    root = [json.loads(converter.dump(value))]
    defaults = {place.path: secret for place, secret in _secrets_of(converter, value)}
    for place in places(schema, root):
        reference = given.get(place.path, defaults.get(place.path, ""))
        if is_reference(reference):
            place.container[place.key] = reference
        elif isinstance(place.container, dict):  # a default of the code, which gives it again
            del place.container[place.key]
    settled = Json(to_json(root[0]))
    try:
        same = converter.dump(read(converter, settled).value) == converter.dump(value)
    except DoesNotFit as error:
        if any(path in defaults for path, _ in error.problems):
            raise
        same = False
    return settled if same else text


def write(converter: Converter, value: Any) -> Json:
    """The JSON of an input that Python gives. ValueRefused if it has none, or a literal secret."""
    schema = converter.schema("validation")
    if not has_secrets(schema):
        return values.round_trip(converter, value)[0]
    root = [json.loads(converter.dump(value))]
    references = {place.path: secret for place, secret in _secrets_of(converter, value)}
    for place in places(schema, root):
        reference = references[place.path]
        if not is_reference(reference):
            raise ValueRefused(f"$.{place.path}", HOW_TO_REFER)
        place.container[place.key] = reference
    return Json(to_json(root[0]))


def _secrets_of(converter: Converter, value: Any) -> Iterator[tuple[Place, str]]:
    """The secrets in an input, as they are, each with its place in the input's JSON."""
    revealed = converter.reveal(value)
    root = [json.loads(converter.dump(value))]
    for place in places(converter.schema("validation"), root):
        secret = revealed
        for key in place.keys:
            secret = secret[key]
        yield place, secret.get_secret_value()
