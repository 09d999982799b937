"""The example job `import-invoices`: it fails on one amount, is mended, and goes on."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import Project

JOBS = Path(__file__).parents[2] / "jobs"
MISTAKE = "    return Decimal(text)\n"
MENDED = '    return Decimal(text.replace(".", "").replace(",", ".") if "," in text else text)\n'


@pytest.fixture
def office(project: Project) -> Project:
    shutil.copytree(JOBS, project.root / "jobs", dirs_exist_ok=True)
    return project


def mend(project: Project) -> None:
    path = project.root / "jobs" / "import_invoices.py"
    text = path.read_text(encoding="utf-8")
    assert text.count(MISTAKE) == 1
    path.write_text(text.replace(MISTAKE, MENDED), encoding="utf-8")


def test_it_fails_on_one_amount_and_goes_on_when_that_is_mended(office: Project) -> None:
    result = office.run("trigger", "import-invoices", expect=1)
    assert "in step amount-2026-1007" in result.err
    assert not (office.root / "invoices-report.csv").exists()
    mend(office)
    resumed = office.run("resume", "@failed")
    assert "7 steps replayed" in resumed.err
    output = json.loads(resumed.out)
    assert (output["invoices"], output["total"]) == (12, "12020.51")
    with open(office.root / "invoices-report.csv", encoding="utf-8") as file:
        owed = {row["customer"]: Decimal(row["euros"]) for row in csv.DictReader(file)}
    assert owed["Bäckerei Sommer"] == Decimal("1978.40")
    assert sum(owed.values()) == Decimal("12020.51")
    archive = (office.root / "invoices-report.gz").read_bytes()
    assert gzip.decompress(archive) == (JOBS / "invoices.csv").read_bytes()


def test_a_report_that_was_changed_meanwhile_is_found(office: Project) -> None:
    mend(office)
    path = office.root / "jobs" / "import_invoices.py"
    path.write_text(path.read_text().replace('"euros")', '"euros"), ("Somebody", 1)'))
    assert "the report says 12021.51" in office.run("trigger", "import-invoices", expect=1).err
