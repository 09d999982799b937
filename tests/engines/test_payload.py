"""What the code of a job's models raises is the user's error, whichever way the input comes in."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, Field, SecretStr, field_validator

from durably_cli.engines import payload
from durably_cli.errors import ValueRefused
from durably_cli.values import convert
from tests.conftest import Project
from tests.harness.quick import some_quick

MODELS = """
    from pydantic import Field, computed_field, field_serializer, field_validator, model_serializer
    from durably_cli import Secret

    def raised(what):
        if what == "key": {}["missing"]
        if what == "os": open("/nowhere/at/all")
        if what == "permission": raise PermissionError(13, "no", "/etc/x")
        if what == "zero": 1 / 0
        if what == "exit": raise SystemExit(3)
        if what == "pipe": raise BrokenPipeError(32, "the server hung up")
        if what == "base": raise BaseException("bare")
        if what == "odd": raise SyntaxError("m", ("f", "a", "b", "text"))
        if what == "first" and not os.environ.get("FIRST"): raise LookupError("only at first")
        return what

    class Validated(BaseModel):
        what: str = ""

        @field_validator("what")
        @classmethod
        def look(cls, what: str) -> str:
            return raised(what)

    class Made(BaseModel):
        what: str = Field(default_factory=lambda: raised(os.environ["WHAT"]))

    class Serialized(BaseModel):
        what: str = ""

        @field_serializer("what")
        def look(self, what: str) -> str:
            return raised(what)

    class Computed(BaseModel):
        what: str = ""

        @computed_field
        @property
        def look(self) -> str:
            return raised(self.what)

    class Described(BaseModel):
        what: str = Field("", json_schema_extra=lambda schema: raised("zero"))

    class Secretive(BaseModel):
        token: Secret

        @field_validator("token")
        @classmethod
        def look(cls, token):
            raise RuntimeError(f"bad token {token.get_secret_value()}")

    @define_job
    def validated(step: Step, payload: Validated) -> int:
        step.run("one", effect, "one")
        raise RuntimeError("not yet")

    @define_job
    def made(step: Step, payload: Made) -> int:
        return step.run("one", effect, "one")

    @define_job
    def serialized(step: Step, payload: Serialized) -> int:
        return step.run("one", effect, "one")

    @define_job
    def computed(step: Step, payload: Computed) -> int:
        return step.run("one", effect, "one")

    @define_job
    def described(step: Step, payload: Described) -> str:
        return step.run("one", effect, "one")

    @define_job
    def secretive(step: Step, payload: Secretive) -> int:
        return 1

    def build(kind, what):
        return kind(what=what)

    def serialized_of(what) -> Serialized: return build(Serialized, what)
    def computed_of(what) -> Computed: return build(Computed, what)

    @define_job
    def results(step: Step, payload: dict[str, str]) -> int:
        step.run("one", globals()[payload["kind"]], payload["what"])
        return 1
"""

RAISED = {
    "key": "KeyError: 'missing'",
    "os": "FileNotFoundError",
    "permission": "PermissionError",
    "zero": "ZeroDivisionError",
    "exit": "SystemExit: 3",
    "pipe": "BrokenPipeError",
    "base": "BaseException: bare",
    "odd": "SyntaxError: m",
}


@pytest.fixture
def models(project: Project) -> Project:
    project.job(MODELS)
    return project


def check_told(err: str, what: str) -> None:
    assert RAISED[what] in err
    assert "jobs/work.py" in err, "the user's frames are shown"
    assert "in raised" in err
    assert "a bug in durably" not in err
    assert "durably_cli/" not in err


@pytest.mark.parametrize("what", some_quick(RAISED, 3))
@pytest.mark.parametrize("job", ["validated", "serialized", "computed"])
def test_what_a_model_raises_is_told_and_no_run_is_made(
    models: Project, job: str, what: str
) -> None:
    ways = {"key": ("--what", what), "os": ("-p", f"what={what}")}
    given = ways.get(what, ("-i", json.dumps({"what": what})))
    check_told(models.run("trigger", job, *given, expect=65).err, what)
    assert models.runs() == []
    assert models.effects == []


def test_what_a_default_factory_raises_is_told(models: Project) -> None:
    told = models.run("trigger", "made", expect=65).err
    assert "KeyError: 'WHAT'" in told
    assert "in <lambda>" in told


def test_it_is_told_in_quiet_and_json_too(models: Project) -> None:
    for option in "-q", "--json":
        told = models.run("trigger", "validated", "--what", "pipe", option, expect=65)
        check_told(told.err, "pipe")
        codes = [json.loads(line)["error"]["exit"] for line in told.out.splitlines()]
        assert codes == ([65] if option == "--json" else [])


def test_what_a_model_raises_on_a_resume_leaves_the_run_as_it_was(models: Project) -> None:
    models.run("trigger", "validated", "--what", "first", env=models.env | {"FIRST": "1"}, expect=1)
    before = models.journal().read_bytes()
    told = models.run("resume", "@last", expect=65).err
    run = models.runs()[0]["id"][-8:]
    assert f"run {run} cannot go on" in told
    assert f"durably resume {run}" in told
    assert "LookupError: only at first" in told
    assert "in raised" in told
    assert models.journal().read_bytes() == before


def test_a_description_that_raises_hides_no_other_job(models: Project) -> None:
    models.job("@define_job\ndef fine(step: Step, payload: dict) -> int:\n    return 1\n", "other")
    shown = models.run("jobs", "--json", expect=78)
    assert "ZeroDivisionError" in shown.err
    assert "fine" in [job["name"] for job in json.loads(shown.out)["jobs"]]
    told = models.run("trigger", "described", "--what", "x", expect=65).err
    assert "ZeroDivisionError" in told


def test_a_secret_in_what_a_model_raises_is_masked(models: Project) -> None:
    env = models.env | {"TOKEN": "tops3cret-value"}
    told = models.run("trigger", "secretive", "--token", "env:TOKEN", env=env, expect=65).err
    assert "bad token *****" in told
    assert "tops3cret" not in told


@pytest.mark.parametrize("what", ["key", "pipe", "exit"])
@pytest.mark.parametrize("kind", ["serialized_of", "computed_of"])
def test_what_a_result_raises_fails_its_step_with_the_users_frames(
    models: Project, kind: str, what: str
) -> None:
    told = models.run("trigger", "results", "-p", f"kind={kind}", "-p", f"what={what}", expect=1)
    check_told(told.err, what)
    assert models.inspect()["failed_step"] == "one"


def test_a_job_that_python_triggers_raises_invalid_input_from_the_users_error(
    models: Project,
) -> None:
    program = (
        "from jobs.work import Serialized, serialized\n"
        "from durably_cli.errors import InvalidInput\n"
        "try:\n"
        "    serialized.trigger(Serialized(what='pipe'))\n"
        "except InvalidInput as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        (sys.executable, "-c", program),
        cwd=models.root,
        env=models.env,
        capture_output=True,
        text=True,
    )
    check_told(done.stdout, "pipe")
    assert models.runs() == []


@pytest.mark.parametrize(
    "code",
    [
        "raise BaseException('bare')",
        "raise SystemExit(0)",
        "import asyncio; raise asyncio.CancelledError",
    ],
)
def test_a_module_that_does_not_import_is_78_whatever_it_raises(
    project: Project, code: str
) -> None:
    path = project.job(code + "\n")
    told = project.run("trigger", "work", expect=78).err
    assert f"{path}:" in told
    assert "a bug in durably" not in told


def test_a_proxy_in_a_module_is_not_asked_what_it_is(project: Project) -> None:
    project.job(
        """
        class Proxy:
            @property
            def __class__(self):
                raise RuntimeError("working outside of request context")

        request = Proxy()

        @define_job
        def work(step: Step, payload: dict) -> int:
            return 1
        """
    )
    assert project.run("trigger", "work").out == "1\n"


def test_an_object_that_is_called_can_be_a_job(project: Project) -> None:
    project.job(
        """
        class Handler:
            def __call__(self, step: Step, payload: dict) -> int:
                return step.run("one", int)

        work = define_job(name="work")(Handler())
        """
    )
    assert project.run("trigger", "work").out == "0\n"
    assert "work.py" in json.loads(project.run("jobs", "work", "--json").out)["job"]["source"]


def test_a_default_that_is_not_json_is_shown_as_text(project: Project) -> None:
    project.job(
        """
        class Input(BaseModel):
            rate: float = float("nan")
            day: str = ""

        @define_job
        def work(step: Step, payload: Input) -> int:
            return 1
        """
    )
    assert project.run("trigger", "work", "--day", "x").out == "1\n"
    assert '"default":"NaN"' in project.run("jobs", "work", "--json").out


def test_a_reader_that_leaves_early_changes_no_exit_code(project: Project, tmp_path: Path) -> None:
    project.job(
        """
        @define_job
        def work(step: Step, payload: dict) -> str:
            if payload:
                raise ValueError("no")
            return "x" * 1_000_000
        """
    )
    for input, code in (("{}", 0), ('{"a": 1}', 1)):
        with project.start("trigger", "work", "-i", input, "--json") as process:
            assert process.stdout is not None
            process.stdout.close()
            process.wait(timeout=60)
        assert process.returncode == code


def test_what_a_job_leaves_in_place_of_stdout_fails_nothing(project: Project) -> None:
    project.job(
        """
        class Tee:
            def write(self, text): raise KeyError("gone")
            def flush(self): raise KeyError("gone")

        @define_job
        def work(step: Step, payload: dict) -> int:
            sys.stdout = sys.stderr = Tee()
            return 1
        """
    )
    assert project.run("trigger", "work").out == "1\n"


def test_a_secret_of_a_job_that_a_job_triggers_reaches_no_journal(models: Project) -> None:
    models.job(
        """
        import traceback
        from jobs.work import Secretive, secretive
        from durably_cli import Secret

        @define_job
        def outer(step: Step, payload: dict) -> int:
            try:
                secretive.trigger(Secretive.model_construct(token=Secret("env:TOKEN")))
            except Exception as error:
                assert error.__context__ is None or error.__context__.__context__ is None
                raise
            return 1
        """,
        "outer",
    )
    env = models.env | {"TOKEN": "tops3cret-value"}
    told = models.run("trigger", "outer", env=env, expect=1).err
    assert "bad token *****" in told
    assert "tops3cret" not in told
    assert b"tops3cret" not in models.journal().read_bytes()


class Zoned(BaseModel):
    token: SecretStr
    at: datetime
    blob: bytes = b""
    size: int = Field(0, exclude=True)


def test_a_secret_beside_them_lets_zones_bytes_and_excluded_fields_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKEN", "tops3cret-value")
    at = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    converter = convert.converter(Zoned)
    for blob in b"", b"\xff":
        given = Zoned(token=SecretStr("env:TOKEN"), at=at, blob=blob, size=3)
        written = payload.dump_payload(converter, given)
        assert repr(converter.load(written)) == repr(given)
        settled = payload.fill_defaults(converter, written).input
        assert repr(converter.load(settled)) == repr(given)


def test_what_does_not_come_back_is_refused_of_python_with_a_secret_too() -> None:
    class Scaled(BaseModel):
        token: SecretStr
        cents: int

        @field_validator("cents")
        @classmethod
        def scale(cls, value: int) -> int:
            return value * 100

    with pytest.raises(ValueRefused, match="300 would come back as 30000"):
        payload.dump_payload(convert.converter(Scaled), Scaled(token=SecretStr("env:T"), cents=3))


def test_an_input_that_does_not_fit_holds_no_secret_in_what_it_came_from(models: Project) -> None:
    models.job(
        """
        from durably_cli import Secret
        from pydantic import field_validator

        class Input(BaseModel):
            token: Secret

            @field_validator("token")
            @classmethod
            def look(cls, token: Secret) -> Secret:
                raise ValueError("not " + token.get_secret_value())

        @define_job
        def inner(step: Step, payload: Input) -> int:
            return 1

        @define_job
        def outer(step: Step, payload: dict) -> str:
            try:
                inner.trigger(Input.model_construct(token=Secret("env:TOKEN")))
            except Exception as error:
                texts = []
                while error is not None:
                    texts.append(str(error))
                    error = error.__context__
                return " ".join(texts)
        """,
        "outer",
    )
    said = models.run("trigger", "outer", env=models.env | {"TOKEN": "tops3cret-value"}).out
    assert "not *****" in said
    assert "tops3cret" not in said


IMPORTS = {
    "a name that is a property": """
        class X(ModuleNotFoundError):
            @property
            def name(self): raise BrokenPipeError
        raise X()
    """,
    "a name that leaves": """
        class X(ModuleNotFoundError):
            @property
            def name(self): raise SystemExit(0)
        raise X()
    """,
    "every attribute": """
        class X2(BaseException): pass
        class X(BaseException):
            def __getattribute__(self, name): raise X2("g")
        raise X("n")
    """,
    "a file that compares": """
        class S(str):
            __hash__ = str.__hash__
            def __eq__(self, other): raise SystemExit(0)
        error = SyntaxError("m")
        error.filename = S("x")
        raise error
    """,
    "a traceback that is a number": """
        class X(Exception):
            __traceback__ = 5
        raise X()
    """,
    "a name that is a number": 'raise ModuleNotFoundError("x", name=5)',
    "a module that has left": 'del sys.modules[__name__]; raise ValueError("x")',
}


@pytest.mark.parametrize("what", IMPORTS)
def test_an_odd_exception_at_import_is_78_and_told(project: Project, what: str) -> None:
    path = project.job(IMPORTS[what])
    told = project.run("trigger", "work", expect=78).err
    assert f"{path}" in told
    assert "a bug in durably" not in told
    assert "durably_cli/" not in told


def test_what_fails_inside_pydantic_for_code_of_a_model_is_the_users_error(
    project: Project,
) -> None:
    project.job(
        """
        from pydantic import TypeAdapter, field_serializer

        class Input(BaseModel):
            a: int = 1

            @field_serializer("a")
            def look(self, a: int) -> int:
                return TypeAdapter(int).validate_python("zz")

        @define_job
        def work(step: Step, payload: Input) -> int:
            return step.run("one", effect, 1)
        """
    )
    told = project.run("trigger", "work", expect=65).err
    assert "in look" in told
    assert project.effects == []


def test_misuse_of_durably_by_code_of_a_model_is_the_users_error(project: Project) -> None:
    project.job(
        """
        from pydantic import field_validator

        class Input(BaseModel):
            a: int = 1

            @field_validator("a")
            @classmethod
            def look(cls, a: int) -> int:
                Step().progress("x")
                return a

        @define_job
        def work(step: Step, payload: Input) -> int:
            return 1
        """
    )
    told = project.run("trigger", "work", "--a", "2", expect=65).err
    assert "in look" in told


# JSON Schemas that hooks of models leave


ODD_SCHEMAS = [
    *("{'properties': 3}", "{'required': 5}", "{'anyOf': 5}", "{'enum': 5}", "{'items': 5}"),
    *("{'$ref': 5}", "{'$defs': 3}", "{'default': object()}", "{'title': 5}", "{'type': ['a', 3]}"),
    *("{'type': {}}", "{'examples': 5}", "{'description': []}", "{'format': 5}", "{'allOf': {}}"),
    *("{'oneOf': [3, True]}", "{'prefixItems': 1}", "{'additionalProperties': [3]}"),
    *("{5: 6}", "{(1, 2): 3}", "{object(): 3}", "{'x': float('nan')}", "{'x': 10**5000}"),
    *("{'properties': {'a': True}}", "{'properties': {'a': {'enum': {}, 'anyOf': [[]]}}}"),
    *("{'title': '\\ud800'}", "endless()", "{'x': deep(100_000)}", "{'x': deep(250)}"),
    "{'$defs': {'A': {'$ref': '#/$defs/A'}}, '$ref': '#/$defs/A'}",
    "{'$defs': {'A': {'anyOf': [{'$ref': '#/$defs/A'}]}}, '$ref': '#/$defs/A'}",
]

HOOKS = """
    from typing import Annotated
    from pydantic import Field, WithJsonSchema

    def endless():
        found = {}
        found["x"] = found
        return found

    def deep(levels):
        found = 1
        for _ in range(levels): found = [found]
        return found

    class Odd(dict):
        @classmethod
        def __get_pydantic_core_schema__(cls, source, handler): return handler(dict)
        @classmethod
        def __get_pydantic_json_schema__(cls, core, handler): return SCHEMA

    class Updated(BaseModel):
        model_config = {"json_schema_extra": lambda schema: schema.update(SCHEMA)}
        a: int = 1

    class OfField(BaseModel):
        a: int = Field(1, json_schema_extra=lambda schema: schema.update(SCHEMA))

    class Annotating(BaseModel):
        a: Annotated[int, WithJsonSchema(SCHEMA)] = 1

    @define_job
    def updated(step: Step, payload: Updated) -> Updated: return payload

    @define_job
    def of_field(step: Step, payload: OfField) -> OfField: return payload

    @define_job
    def annotating(step: Step, payload: Annotating) -> Annotating: return payload

    @define_job
    def odd(step: Step, payload: Odd) -> Odd: return payload
"""


@pytest.mark.parametrize("schema", some_quick(ODD_SCHEMAS, 9))
@pytest.mark.parametrize("jobs", ["one", pytest.param("all", marks=pytest.mark.campaign)])
def test_an_odd_schema_is_no_bug_of_durably_and_hides_no_other_job(
    project: Project, schema: str, jobs: str
) -> None:
    project.job(HOOKS.replace("SCHEMA", schema))
    project.job("@define_job\ndef fine(step: Step, payload: dict) -> int:\n    return 1\n", "fine")
    for shown in project.run("jobs", expect=None), project.run("jobs", "--json", expect=None):
        assert shown.code in (0, 78)
        assert "fine" in shown.out
        names = ["updated", "of-field", "annotating", "odd"]
        assert all(name in shown.out or f"of {name} cannot be" in shown.err for name in names)
    place = ODD_SCHEMAS.index(schema) % len(names)
    for name in names if jobs == "all" else names[place : place + 1]:
        for given in ("-p", "a:=2"), ("--help",), ("--b", "1"):
            ended = project.run("trigger", name, *given, expect=None)
            assert ended.code in (0, 2, 65), ended
            assert ended.code in (0, 2) or "the input of" in ended.err


def test_an_odd_output_hides_no_other_job(project: Project) -> None:
    project.job(HOOKS.replace("SCHEMA", "endless()").replace("payload: Odd", "payload: dict"))
    assert "the output of odd cannot be" in project.run("jobs", expect=78).err


# Values that have no end


ENDLESS = """
    from typing import Any
    from pydantic import Field, computed_field, field_serializer, model_serializer
    from durably_cli import Secret

    def circle():
        found = []
        found.append(found)
        return found

    def deep():
        found = []
        for _ in range(100_000): found = [found]
        return found

    def again(): return again()

    class Circle(BaseModel):
        a: Any = Field(default_factory=circle)
        token: Secret = Secret("env:TOKEN")

    class Plain(BaseModel):
        a: Any = Field(default_factory=circle)

    class Deep(BaseModel):
        a: Any = Field(default_factory=deep)

    class Without(BaseModel):
        a: Any = Field(default_factory=object)
        token: Secret = Secret("env:TOKEN")

    class Field1(BaseModel):
        b: int = 1
        @field_serializer("b")
        def look(self, b): return again()

    class Model(BaseModel):
        b: int = 1
        @model_serializer
        def look(self): return self.model_dump()

    class Secretive(Model):
        token: Secret = Secret("env:TOKEN")

    class Equal(BaseModel):
        b: int = 1
        def __eq__(self, other): raise RuntimeError("in eq")


    class Truth:
        def __bool__(self): raise RuntimeError("in bool")

    class Unclear(BaseModel):
        b: int = 1
        def __eq__(self, other): return Truth()

    class Ugly(BaseModel):
        b: int = 1
        def __eq__(self, other): return False
        def __repr__(self): raise RuntimeError("in repr")

    @define_job
    def work(step: Step, payload: CLASS) -> int:
        return step.run("one", int, 1)

    def build() -> CLASS: return CLASS()

    @define_job
    def results(step: Step, payload: dict) -> int:
        step.run("one", build)
        return 1
"""


@pytest.mark.parametrize("name", ["Circle", "Plain", "Deep", "Without"])
def test_a_default_that_has_no_json_is_made_again_by_every_attempt(
    project: Project, name: str
) -> None:
    project.job(ENDLESS.replace("CLASS", name))
    env = project.env | {"TOKEN": "tops3cret-value"}
    assert project.run("trigger", "work", env=env).out == "1\n"
    assert project.inspect()["input"] == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Field1", "calling function `look`: RecursionError"),
        ("Model", "calling function `look`: RecursionError"),
        ("Secretive", "calling function `look`: RecursionError"),
        ("Equal", "in eq"),
        ("Unclear", "in bool"),
    ],
)
def test_code_that_never_ends_or_cannot_compare_is_told_and_no_run_is_made(
    project: Project, name: str, said: str
) -> None:
    project.job(ENDLESS.replace("CLASS", name))
    env = project.env | {"TOKEN": "tops3cret-value"}
    told = project.run("trigger", "work", env=env, expect=65).err
    assert "code of its model raised" in told
    assert said in told
    assert project.runs() == []
    told = project.run("trigger", "results", env=env, expect=1).err
    assert said in told


def test_a_result_that_differs_is_told_whatever_its_repr_does(project: Project) -> None:
    project.job(ENDLESS.replace("CLASS", "Ugly"))
    told = project.run("trigger", "results", expect=1).err
    assert "<a Ugly whose repr fails> would come back as a different Ugly" in told


def test_another_models_error_in_a_default_factory_has_the_users_frames(project: Project) -> None:
    project.job(
        """
        from pydantic import Field, TypeAdapter, model_validator

        class Input(BaseModel):
            a: int = Field(default_factory=lambda: TypeAdapter(int).validate_python("zz"))

        class Wrapped(BaseModel):
            a: int

            @model_validator(mode="wrap")
            @classmethod
            def look(cls, value, handler): return handler(value)

        @define_job
        def work(step: Step, payload: Input) -> int: return 1

        @define_job
        def wrapped(step: Step, payload: Wrapped) -> int: return 1
        """
    )
    told = project.run("trigger", "work", expect=65).err
    assert "in <lambda>" in told
    assert "code of its model raised ValidationError" in told
    told = project.run("trigger", "wrapped", "--a", "x", expect=65).err
    assert "a: Input should be a valid integer" in told


def test_a_value_that_lacks_an_attribute_of_its_class_is_no_bug_of_durably(
    project: Project,
) -> None:
    project.job(
        """
        from dataclasses import dataclass
        from pydantic import model_serializer

        @dataclass(slots=True)
        class Input:
            b: int = 1
            x: int = 2

            def __post_init__(self): del self.x

            @model_serializer
            def look(self): return {"b": self.b}

        @define_job
        def work(step: Step, payload: Input) -> int: return payload.b
        """
    )
    assert project.run("trigger", "work", "--b", "2").out == "2\n"


def test_a_default_that_no_schema_can_have_is_no_talk(project: Project) -> None:
    project.job(
        """
        class D:
            pass

        class Input(BaseModel):
            model_config = {"arbitrary_types_allowed": True}
            b: int = 1
            d: object = D()

        @define_job
        def work(step: Step, payload: Input) -> int: return payload.b
        """
    )
    for command in ("jobs",), ("trigger", "work", "--b", "2", "-q"):
        assert project.run(*command).err == ""


def test_what_an_eq_raises_while_inputs_are_compared_is_told(project: Project) -> None:
    project.job(
        """
        class Odd(float):
            def __eq__(self, other):
                raise LookupError("not to be compared")

        from pydantic import ConfigDict, field_validator

        class Input(BaseModel):
            what: float = 0

            @field_validator("what")
            @classmethod
            def make(cls, what):
                return Odd(what)

        @define_job
        def work(step: Step, payload: Input) -> int:
            return 1
        """
    )
    told = project.run("trigger", "work", "--what", "1", "--idempotency-key", "k", expect=65).err
    assert "LookupError: not to be compared" in told and "in __eq__" in told
