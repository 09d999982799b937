"""A job's input on its way to the journal and to the handler: defaults filled in, secrets read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from durably_cli.errors import ValueRefused
from durably_cli.journal.events import ErrorInfo
from durably_cli.journal.failures import describe
from durably_cli.journal.masking import NO_SECRETS, Secrets
from durably_cli.steps.stop import raise_stop
from durably_cli.values import convert, own_output
from durably_cli.values.differences import difference
from durably_cli.values.plain import PLAIN, CodeIsEndless, Converter, DoesNotFit
from durably_cli.values.revealed import holds, secrets_in
from durably_cli.values.secret_sources import (
    HOW_TO_REFER,
    SecretMissing,
    has_secrets,
    is_secret_reference,
    places,
    resolve,
)
from durably_cli.values.strict_json import Json, to_json
from durably_cli.values.untrusted import is_all_of_durably, raised_by_the_user

if TYPE_CHECKING:
    from durably_cli.values.unread import Unread

_OUT_OF_REACH = (
    "it is a secret that cannot be given so: declare it as durably's Secret or pydantic's "
    "SecretStr, and name it by its first alias"
)


class ModelFailed(Exception):
    """Code of the input's model raised: a validator, a default_factory, a serializer, a property.

    `error` is what it raised, known secrets masked.
    """

    def __init__(self, error: ErrorInfo) -> None:
        super().__init__(f"{error.type}: {error.message}")
        self.error = error


@contextmanager
def _code_of_the_model(secrets: Secrets = NO_SECRETS) -> Iterator[None]:
    """Inside, whatever the model's own code raises becomes ModelFailed; a stop passes through."""
    try:
        yield
    except BaseException as error:
        raise_stop(error)
        if isinstance(error, CodeIsEndless):
            what = f"RecursionError: {error.reason}"
            raise ModelFailed(ErrorInfo("RecursionError", error.reason, what)) from None
        if is_all_of_durably(error):
            raise
        raise ModelFailed(secrets.masked_error(describe(error))) from None


class Payload(NamedTuple):
    """The input as the handler gets it, the secrets that it holds, and what nobody reads of it."""

    value: Any
    secrets: Secrets
    unread: Sequence[Unread] = ()


class ReadyInput(NamedTuple):
    """The input that a run is made with, and the secrets that no journal may hold.

    `canonical` is one text for all inputs that the type reads as equal ones, if it is asked for;
    `unread` are fields that were given, and that the job's model passes over.
    """

    input: Json
    secrets: Secrets = NO_SECRETS
    canonical: Json = Json("")
    unread: Sequence[Unread] = ()


def load_payload(converter: Converter, text: Json) -> Payload:
    """The payload of an input, its secrets read from where they come.

    DoesNotFit if it is none; ModelFailed if the model's own code raises.
    """
    read, known = _with_secrets_read(schema_of(converter, "validation"), text)
    value, revealed = _loaded(converter, read, Secrets(known))
    others = {path: secret for path, secret in revealed if secret not in known.values()}
    given = json.loads(text)
    literal = [(path, _OUT_OF_REACH) for path, secret in others.items() if holds(given, secret)]
    if literal:  # by an alias that its schema does not name, or of a type like Secret[str]
        raise DoesNotFit(literal)
    defaults = {path: secret for path, secret in others.items() if not is_secret_reference(secret)}
    secrets = Secrets(defaults | known)
    return Payload(value, secrets, _masked(converter.unread(text, value), secrets))


def _masked(found: list[Unread], secrets: Secrets) -> list[Unread]:
    return [each._replace(path=secrets.mask(each.path)) for each in found]


def _with_secrets_read(schema: dict[str, Any], text: Json) -> tuple[Json, dict[str, str]]:
    """The input with its secrets in the places of their references; and these, by their paths.

    DoesNotFit with all that are not where they should come from.
    """
    root = [json.loads(text)]
    known: dict[str, str] = {}
    missing: list[tuple[str, str]] = []
    for place in places(schema, root):
        try:
            known[place.path] = place.container[place.key] = resolve(place.value)
        except SecretMissing as error:
            missing.append((place.path, str(error)))
    if missing:
        raise DoesNotFit(missing)
    return (Json(to_json(root[0])) if known else text), known


def _loaded(
    converter: Converter, text: Json, secrets: Secrets
) -> tuple[Any, list[tuple[str, str]]]:
    """The value of an input, and the secrets in it, by path. What is wrong with it holds none."""
    try:
        with _code_of_the_model(secrets):
            value = converter.load(text)
            return value, list(secrets_in(converter.reveal(value)))
    except DoesNotFit as error:
        masked = [(path, secrets.mask(problem)) for path, problem in error.problems]
        raise DoesNotFit(masked) from None


def fill_defaults(converter: Converter, text: Json, *, is_compared: bool = False) -> ReadyInput:
    """The input that a run is made with: as given, with the defaults of this moment filled in.

    So a `default_factory` gives a resumed run what it gave the first attempt. Of a secret it has
    where it comes from, be that given or the model's default. DoesNotFit if the type rejects the
    input.
    """
    value, secrets, unread = load_payload(converter, text)
    with _code_of_the_model(secrets):
        ready = _settled(converter, text, value, secrets)._replace(unread=unread)
        if is_compared:
            ready = ready._replace(canonical=_canonical_form(converter, text, value))
        return ready


def _canonical_form(converter: Converter, text: Json, value: Any) -> Json:
    """One text for all that is read as this value; of secrets it has where they come from."""
    if converter is PLAIN:
        return text
    schema = converter.schema("validation")
    known = _with_secrets_read(schema, text)[1]
    found = [(place.value, known[place.path]) for place in places(schema, [json.loads(text)])]
    references = {secret: reference for reference, secret in found}
    if len(references) < len(set(found)):  # two places have one secret now: which is whose?
        return text
    return _canonical_of(value, references) or text


def canonical_of(converter: Converter, value: Any) -> Json | None:
    """The canonical form of an input that Python gives, which knows what of it was given.

    None if it has none but its text; ModelFailed if the model's own code raises.
    """
    if converter is PLAIN:
        return None
    with _code_of_the_model():
        return _canonical_of(value, {})


def _canonical_of(value: Any, references: Mapping[str, str]) -> Json | None:
    from durably_cli.values.canonical import canonical  # idempotency keys need it

    try:
        return canonical(value, references)
    except (ValueError, TypeError, RecursionError) as error:
        if raised_by_the_user(error):
            raise
        return None


def _settled(converter: Converter, text: Json, value: Any, secrets: Secrets) -> ReadyInput:
    schema = converter.schema("validation")
    if not has_secrets(schema):
        return ReadyInput(convert.settled(converter, text), secrets)
    try:
        saved = _referring(converter, schema, text, value)
    except CodeIsEndless:
        raise
    except ValueRefused:  # a default that has no JSON
        saved = own_output.with_defaults(converter, text, value)
    try:
        secrets.refuse(saved)
    except ValueRefused as refused:
        path = refused.path.removeprefix("$").removeprefix(".")
        raise DoesNotFit([(path or "$", refused.reason.partition(":")[0])]) from None
    return ReadyInput(saved, secrets)


def _referring(converter: Converter, schema: dict[str, Any], text: Json, value: Any) -> Json:
    """The input with its defaults, and with where its secrets come from in their places."""
    given = {place.path: place.value for place in places(schema, [json.loads(text)])}
    defaults = dict(secrets_in(converter.reveal(value)))
    root = [json.loads(converter.dump(value))]
    for place in places(schema, root):
        reference = given.get(place.path, defaults.get(place.path, ""))
        if is_secret_reference(reference):
            place.container[place.key] = reference
        elif isinstance(place.container, dict):  # a default of the code, which gives it again
            del place.container[place.key]
    settled = Json(to_json(root[0]))
    if _reads_back(converter, settled, value, defaults):
        return settled
    return own_output.with_defaults(converter, text, value)


def _reads_back(
    converter: Converter, settled: Json, value: Any, defaults: Mapping[str, str]
) -> bool:
    """Does the type read the same value from it? DoesNotFit if a secret by default is not there."""
    try:
        return difference(value, load_payload(converter, settled).value, declared=True) is None
    except DoesNotFit as error:
        if any(path in defaults for path, _ in error.problems):
            raise
        return False


def dump_payload(converter: Converter, value: Any) -> Json:
    """The JSON of an input that Python gives. ValueRefused if it has none, or a literal secret."""
    with _code_of_the_model():
        return _written(converter, value)


def schema_of(converter: Converter, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
    """The JSON Schema of what is read or written. ModelFailed if the model's own code raises."""
    with _code_of_the_model():
        return converter.schema(mode)


def _written(converter: Converter, value: Any) -> Json:
    schema = converter.schema("validation")
    if not has_secrets(schema):
        return convert.as_given(converter, value)
    try:
        text = _with_references(converter, schema, value, converter.dump(value))
        lost = _lost(converter, value, text)
    except ValueRefused as refused:
        if refused.reason == HOW_TO_REFER:
            raise
        lost = refused.path, refused.reason
    if lost is None:
        return text
    with suppress(ValueError, TypeError, ValueRefused, RecursionError):
        validated = own_output.as_validated(value, secret="")
        text = _with_references(converter, schema, value, validated)
        if _lost(converter, value, text) is None:
            return text
    raise ValueRefused(*lost)


def _lost(converter: Converter, value: Any, text: Json) -> tuple[str, str] | None:
    """Where the value does not come back from the text, and why."""
    try:
        back = converter.load(text)
    except Exception:  # code that checks a secret is to see it, and not where it is: later
        return None
    return difference(value, back, declared=True)


def _with_references(converter: Converter, schema: dict[str, Any], value: Any, text: Json) -> Json:
    """The text with where its secrets come from in their places. ValueRefused if one says not."""
    root = [json.loads(text)]
    references = dict(secrets_in(converter.reveal(value)))
    for place in places(schema, root):
        reference = references.get(place.path, "")
        if not is_secret_reference(reference):
            raise ValueRefused(f"$.{place.path}", HOW_TO_REFER)
        place.container[place.key] = reference
    return Json(to_json(root[0]))
