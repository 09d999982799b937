"""Lines of step.log: whatever the program's own logging does, they never fail a run."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Project

ODD_LOGGING = {
    "records with such a field": """
        class Record(logging.LogRecord):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self.run_id = "mine"
        logging.setLogRecordFactory(Record)
        logging.basicConfig()
    """,
    "a handler that raises": """
        class Handler(logging.Handler):
            def emit(self, record):
                raise OSError("no server")
        logging.getLogger().addHandler(Handler())
    """,
    "a filter that raises": """
        def refuse(record):
            raise ValueError("no filter")
        logging.getLogger("durably").addFilter(refuse)
    """,
    "a stream that is closed": """
        stream = open(os.devnull, "w")
        logging.basicConfig(stream=stream)
        stream.close()
    """,
    "a handler that raises, and no stderr": """
        class Handler(logging.Handler):
            def emit(self, record):
                raise OSError("no server")
        logging.getLogger().addHandler(Handler())
        sys.stderr.close()
    """,
    "loggers that cannot be made": """
        class Logger(logging.Logger):
            def __init__(self, name):
                raise RuntimeError("no logger")
        logging.setLoggerClass(Logger)
    """,
}


@pytest.mark.parametrize("setup", ODD_LOGGING.values(), ids=list(ODD_LOGGING))
def test_logging_that_fails_fails_no_run(project: Project, setup: str) -> None:
    lines = "\n".join(line.removeprefix("    ") for line in setup.splitlines())
    project.job(
        "import logging\n@define_job\ndef logs(step: Step, payload: dict) -> None:\n"
        + lines
        + "\n    step.log.warn('first', n=1)\n    step.log.warn('second')\n"
    )
    done = project.run("trigger", "logs")
    assert "Traceback" not in done.err or "--- Logging error ---" in done.err
    logged = project.run("logs", "@last", "--json").out.splitlines()
    assert [json.loads(line)["message"] for line in logged] == ["first", "second"]


def test_data_nested_too_deeply_for_any_reader_is_logged_as_python_writes_it(
    project: Project,
) -> None:
    project.job(
        """
        @define_job
        def deep(step: Step, payload: dict) -> None:
            value = []
            for _ in range(900):
                value = [value]
            step.log.info("deep", value=value)
        """
    )
    project.run("trigger", "deep")
    (line,) = project.run("logs", "@last", "--json").out.splitlines()
    assert json.loads(line)["data"]["value"].startswith("[[[[")


def test_an_exception_is_logged_with_its_traceback_and_every_level_has_its_name(
    project: Project,
) -> None:
    project.job(
        """
        from durably_cli import Secret

        class Input(BaseModel):
            token: Secret

        @define_job
        def logs(step: Step, payload: Input) -> None:
            step.log.debug("looks")
            step.log.warning("odd", n=1)
            try:
                raise OSError(payload.token.get_secret_value())
            except OSError:
                step.log.exception("broken", n=2)
            step.log.exception("nothing is being handled")
        """
    )
    env = project.env | {"TOKEN": "hunter2hunter2"}
    said = project.run("trigger", "logs", "--token", "env:TOKEN", env=env).err
    assert "error: broken n=2\n  Traceback (most recent call last):\n" in said
    assert "\n  OSError: **********\n" in said
    lines = [json.loads(line) for line in project.run("logs", "@last", "--json").out.splitlines()]
    traceback = lines[2]["data"].pop("traceback")
    assert traceback.endswith("\nOSError: **********")
    assert [(each["level"], each["message"], each["data"]) for each in lines] == [
        ("debug", "looks", {}),
        ("warn", "odd", {"n": 1}),
        ("error", "broken", {"n": 2}),
        ("error", "nothing is being handled", {}),
    ]
    for level in ("warn", "warning"):
        rows = project.run("logs", "@last", "--level", level).out.splitlines()
        assert [row.split("\t")[1] for row in rows] == ["warn", "error", "error"]
