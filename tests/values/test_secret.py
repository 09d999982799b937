"""Secrets: where they come from is journalled, what they are never is; resume reads them again."""

from __future__ import annotations

import json
import shlex
import textwrap
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape as xml_escape

import pytest
from pydantic import TypeAdapter, ValidationError

from durably_cli.errors import ValueRefused
from durably_cli.journal.events import LogWritten
from durably_cli.journal.masking import MASK, Secrets
from durably_cli.values.secret_sources import places, resolve
from durably_cli.values.strict_json import Json
from tests.cli.commands.test_list import on_a_terminal
from tests.conftest import Project
from tests.harness.quick import some_quick

VALUE = 'hun"ter2\\ø'

JOB = """
    import logging
    from pydantic import SecretStr, Field
    from durably_cli import Secret

    class Database(BaseModel):
        url: str = "db://"
        password: SecretStr | None = None

    class Input(BaseModel):
        token: Secret = Field(min_length=3)
        database: Database = Database()
        keys: list[SecretStr] = []
        default: SecretStr = SecretStr("env:DEFAULT_TOKEN")
        stamp: int = Field(default_factory=time.time_ns)
        leak: str = ""

    @define_job
    def vault(step: Step, payload: Input) -> str:
        secret = payload.token.get_secret_value()
        effect(f"{secret} {payload.stamp} {payload.default.get_secret_value()}")
        step.log.warn(f"using {secret}", secret=secret, parts=[secret])
        step.progress(1, 2, f"with {secret}")
        if payload.leak == "result":
            step.run("leak", lambda: {"deep": [f"token={secret}"]})
        if payload.leak == "name":
            step.run(f"step {secret}", int)
        if payload.leak == "output":
            return secret
        if payload.leak == "step":
            step.run("raise", explode, secret)
        if payload.leak == "error" and step.attempt == 1:
            raise RuntimeError(f"refused: {secret}")
        step.run("fine", len, secret)
        return "done"

    def explode(secret: str) -> None:
        raise ValueError(secret)
"""


@pytest.fixture
def vault(project: Project) -> Project:
    project.job(JOB, "vault")
    project.env |= {"TOKEN": VALUE, "DEFAULT_TOKEN": "other-secret"}
    return project


def everything(project: Project) -> str:
    """All bytes of all files of durably, as text."""
    files = [
        path for path in (*project.data.rglob("*"), *project.cache.rglob("*")) if path.is_file()
    ]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def assert_kept_secret(project: Project, *said: str) -> None:
    for text in (everything(project), *said):
        for secret in (VALUE, json.dumps(VALUE)[1:-1], "other-secret"):
            assert secret not in text


@pytest.mark.parametrize("leak", some_quick(["", "result", "name", "output", "step", "error"], 3))
def test_a_secret_is_nowhere_but_in_the_job(vault: Project, leak: str) -> None:
    args = ("trigger", "vault", "--token", "env:TOKEN", "--leak", leak)
    result = vault.run(*args, expect=1 if leak else 0)
    assert vault.effects[0].startswith(VALUE)
    seen = [vault.run("inspect", "@last").out, vault.run("inspect", "@last", "--html", "-").out]
    seen += [vault.run("logs", "@last").out, vault.run("list").out, vault.run("info").out]
    seen += [vault.run("trigger", "vault", "-q", *args[2:], expect=None).err]
    assert_kept_secret(
        vault, result.out, result.err, on_a_terminal(vault, "inspect", "@last"), *seen
    )
    assert "using **********" in seen[2]
    if leak in ("result", "output"):
        assert "holds the secret token, which no journal may" in result.err
    assert vault.inspect()["input"]["token"] == "env:TOKEN"


def test_resume_reads_it_again_and_says_so_when_it_is_gone(vault: Project) -> None:
    vault.run("trigger", "vault", "--token", "env:TOKEN", "--leak", "error", expect=1)
    del vault.env["TOKEN"]
    gone = vault.run("resume", "@last", expect=65)
    assert "token: the environment has no TOKEN" in gone.err
    assert vault.runs()[0]["status"] == "failed"
    vault.env["TOKEN"] = "another-one"
    assert vault.run("resume", "@last").out == '"done"\n'
    first, second = (line.rsplit(" ", 2) for line in vault.effects)
    assert (first[0], second[0]) == (VALUE, "another-one")
    assert first[1:] == second[1:], "the other defaults are those of the first attempt"


def test_a_secret_comes_from_a_file(vault: Project, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{VALUE}\n", encoding="utf-8")
    vault.run("trigger", "vault", "-p", f"token=file:{path}")
    assert vault.effects[0].startswith(f"{VALUE} ")
    assert_kept_secret(vault)
    path.unlink()
    missing = vault.run("trigger", "vault", "-p", f"token=file:{path}", expect=65)
    assert "No such file" in missing.err
    relative = vault.run("trigger", "vault", "-p", "token=file:token", expect=65)
    vault.run("trigger", "vault", "-p", "token=file:~no-such-user/token", expect=65)
    assert "give one from /" in relative.err


@pytest.mark.parametrize(
    ("args", "field"),
    [
        (("--token", "literal-value"), "token"),
        (("--token", "env:TOKEN", "--keys", "literal-value"), "keys[0]"),
        (
            ("--token", "env:TOKEN", "--database", '{"password": "literal-value"}'),
            "database.password",
        ),
    ],
)
def test_a_literal_is_refused_with_the_way_to_refer_to_it(
    vault: Project, args: tuple[str, ...], field: str
) -> None:
    result = vault.run("trigger", "vault", *args, expect=65)
    assert f"  {field}: a secret is not given as it is" in result.err
    assert "env:NAME or file:PATH" in result.err
    assert "literal-value" not in result.err
    assert vault.runs() == []


def test_all_missing_ones_are_named_in_one_list(vault: Project) -> None:
    given: dict[str, object] = {"token": "env:NONE", "keys": ["env:TOKEN", "env:NOTHING"]}
    given["database"] = {"password": "env:NO"}
    err = vault.run("trigger", "vault", "-i", json.dumps(given), expect=65).err
    for field in ("token: ", "keys[1]: ", "database.password: "):
        assert f"  {field}the environment has no " in err


def test_the_model_judges_the_value_and_not_the_reference(vault: Project) -> None:
    vault.env["TOKEN"] = "ab"
    err = vault.run("trigger", "vault", "--token", "env:TOKEN", expect=65).err
    assert "token: Value should have at least 3 items" in err or "at least 3" in err


def test_help_and_jobs_say_how_to_give_it(vault: Project) -> None:
    assert "--token env:NAME|file:PATH" in vault.run("trigger", "vault", "--help").out
    assert "env:NAME|file:PATH" in vault.run("jobs", "vault").out


def test_python_gives_it_by_reference_too(vault: Project) -> None:
    vault.job(
        """
        from jobs.vault import Input, vault
        from durably_cli import Secret
        from durably_cli.errors import InvalidInput

        @define_job
        def caller(step: Step, payload: dict) -> str:
            try:
                vault.trigger(Input(token=Secret("literal-value")))
            except InvalidInput as error:
                assert "literal-value" not in str(error)
                assert "env:NAME" in str(error)
            else:
                raise AssertionError
            return vault.trigger(Input(token=Secret.env("TOKEN"))).output
        """,
        "caller",
    )
    assert vault.run("trigger", "caller").out == '"done"\n'
    assert vault.effects[0].startswith(VALUE)
    assert_kept_secret(vault)


KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nx'y\"z\\q0=\n-----END KEY-----"


@pytest.mark.parametrize(
    "value", [VALUE, KEY, 'it\'s "quoted"', "pässwörd1", "tab\there", "a" * 96]
)
def test_a_value_is_masked_however_it_is_written(value: str) -> None:
    secrets = Secrets({"token": f"{value}\n"})
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(int).validate_python(value)
    written = [value, repr(value), ascii(value), repr(value.encode()), json.dumps(value)]
    written += [
        str(KeyError(value)),
        repr([value]),
        repr({"it's": value}),
        f"'{value!r}'",
        str(caught.value),
    ]
    written += [repr(f"it's {value}"), repr(f'"{value}'), textwrap.indent(value, "    ")]
    for text in written:
        masked = secrets.mask(text)
        for line in value.splitlines():
            for n in range(len(line) - 7):
                assert line[n : n + 8] not in masked, (text, masked)
    with pytest.raises(ValueRefused):
        secrets.refuse(Json(json.dumps({"a": [repr(value)]})))


ODD_VALUE = "a/b+c d'e\"f<g>&h"
WRITTEN: dict[str, Callable[[str], str]] = {
    "base64": lambda value: b64encode(value.encode()).decode(),
    "a header": lambda value: b64encode(f"me:{value}".encode()).decode(),
    "a longer header": lambda value: b64encode(f"user:{value}, and more".encode()).decode(),
    "base64 of URLs": lambda value: urlsafe_b64encode(b"~" + value.encode()).decode(),
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "lower-case percents": lambda value: quote(value, safe="").replace("%2F", "%2f").lower(),
    "XML": xml_escape,
    "XML's attributes": lambda value: xml_escape(value, {'"': "&quot;", "'": "&apos;"}),
    "Jinja": lambda value: xml_escape(value, {'"': "&#34;", "'": "&#39;"}),
    "JSON of PHP": lambda value: json.dumps(value).replace("/", "\\/"),
    "JSON of Go": lambda value: _go(json.dumps(value)),
    "JSON of .NET": lambda _: r"a/b\u002Bc d\u0027e\u0022f\u003Cg\u003E\u0026h",
    "JSON in JSON": lambda value: json.dumps(json.dumps(value)),
    "shlex": shlex.quote,
    "bash": lambda value: "'" + value.replace("'", "'\\''") + "'",
}


def _go(text: str) -> str:
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@pytest.mark.parametrize("how", WRITTEN)
def test_a_value_is_masked_and_refused_in_the_forms_of_others(how: str) -> None:
    secrets = Secrets({"token": ODD_VALUE})
    text = WRITTEN[how](ODD_VALUE)
    masked = secrets.mask(f"sent {text} there")
    assert masked.startswith("sent ") and masked.endswith(" there")
    left = masked.removeprefix("sent ").removesuffix(" there")
    assert len(left.replace(MASK, "")) <= 24, "what stands around the value"
    with pytest.raises(ValueRefused):
        secrets.refuse(Json(json.dumps({text: 1})))


def test_the_encodings_of_a_short_value_leave_other_text_alone() -> None:
    text = " ".join(b64encode(bytes([n, n + 1])).decode() + f" {n:04x}" for n in range(200))
    assert Secrets({"pin": "abcd", "short": "ab"}).mask(text) == text


def test_a_long_key_is_masked_in_time_that_grows_with_the_text_alone() -> None:
    lines = [f"{sha256(str(n).encode()).hexdigest()}" for n in range(100)]
    secrets = Secrets({"key": "\n".join(lines)})
    assert secrets._pattern.pattern.count("|") < 10, "what is tried at each character"
    assert secrets.mask(f"<{lines[7]}>") == f"<{MASK}>"


def test_a_secret_is_masked_in_the_keys_of_log_data_and_refused_in_those_of_results() -> None:
    secrets = Secrets({"token": "literal-value"})
    data = {"literal-value": {"by literal-value": [1]}}
    line = LogWritten("info", "rows", "at", data=data)
    masked = secrets.masked(line)
    assert isinstance(masked, LogWritten)
    assert masked.data == {MASK: {f"by {MASK}": [1]}}
    for result in ('{"literal-value":1}', '[{"deep":{"x literal-value":[]}}]'):
        with pytest.raises(ValueRefused):
            secrets.refuse(Json(result))


def test_a_byte_order_mark_in_the_file_of_a_secret_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\xef\xbb\xbfliteral-value\r\n")
    assert resolve(f"file:{path}") == "literal-value"


def test_of_values_within_one_another_none_is_left_over() -> None:
    secrets = Secrets({"a": "prefix", "b": "prefixLONGER", "c": "ERTAIL"})
    assert secrets.mask("prefix prefixLONGERTAIL prefixL") == "********** ********** **********L"


def test_a_number_that_is_a_secret_leaves_others_alone() -> None:
    secrets = Secrets({"pin": "1234"})
    line = LogWritten("info", "rows", "at", data={"n": 12345, "pin": 1234, "yes": True})
    assert secrets.masked(line) == line._replace(data={"n": 12345, "pin": MASK, "yes": True})
    line = LogWritten("info", "rows", "at", data={"pins": [1234.0, -1234, -1234.0, 1234.5]})
    assert secrets.masked(line) == line._replace(data={"pins": [MASK, MASK, MASK, 1234.5]})
    secrets.refuse(Json("[12345,true]"))
    with pytest.raises(ValueRefused) as caught:
        secrets.refuse(Json('{"deep":[1,1234]}'))
    assert caught.value.path == "$.deep[1]"


OTHER_TYPES = """
    import pydantic
    from pydantic import AliasChoices, Field, SecretStr
    from durably_cli import Secret

    class Input(BaseModel):
        token: Secret | None = Field(None, validation_alias=AliasChoices("tok", "key"))
        hidden: pydantic.Secret[str] | None = None
        plain: str = ""

    @define_job
    def other(step: Step, payload: Input) -> None:
        raise RuntimeError(f"with {payload}")
"""


@pytest.mark.parametrize(
    "args",
    [
        ("-p", "key=literal-value"),
        ("-p", "hidden=literal-value"),
        ("-p", "tok=env:TOKEN", "-p", "plain=literal-value"),
        ("-p", "tok=env:TOKEN", "--label", "x=literal-value"),
        ("-p", "tok=env:TOKEN", "--idempotency-key", "on literal-value"),
        ("-p", "tok=env:TOKEN", "--concurrency-key", "literal-value"),
    ],
)
def test_a_secret_that_would_be_journalled_elsewhere_is_refused(
    project: Project, args: tuple[str, ...]
) -> None:
    project.job(OTHER_TYPES, "other")
    project.env["TOKEN"] = "literal-value"
    refused = project.run("trigger", "other", *args, expect=65)
    assert "literal-value" not in refused.err
    assert "literal-value" not in everything(project)
    assert project.runs() == []


def test_what_a_job_prints_is_masked_in_the_report_of_a_quiet_failure(project: Project) -> None:
    project.job(
        """
        from durably_cli import Secret

        class Input(BaseModel):
            token: Secret

        @define_job
        def prints(step: Step, payload: Input) -> None:
            print("using", payload.token.get_secret_value(), flush=True)
            os.system("echo and $TOKEN")
            raise RuntimeError
        """,
        "prints",
    )
    project.env["TOKEN"] = "literal-value"
    report = project.run("trigger", "prints", "--token", "env:TOKEN", "-q", expect=1).err
    assert "using **********" in report
    assert "literal-value" not in report


def test_what_is_too_short_to_look_for_is_not_masked() -> None:
    assert Secrets({"a": "abc"}).mask("abc") == "abc"
    assert Secrets({"a": "abcd"}).mask("xabcdx") == "x**********x"


def test_secrets_are_found_in_types_that_hold_themselves() -> None:
    schema = {
        "$ref": "#/$defs/Node",
        "$defs": {
            "Node": {
                "properties": {
                    "key": {"type": "string", "format": "password", "writeOnly": True},
                    "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                }
            }
        },
    }
    root = [{"key": "a", "next": {"key": "b", "next": None}}]
    assert [place.path for place in places(schema, root)] == ["key", "next.key"]
