"""Import a month of invoices: read, convert, check, add up, report, archive.

One of the amounts that are shipped is written as one does in Germany, and `number` does not know
that: the run fails in the middle, as such runs do. README.md mends it and resumes.
"""

import csv
import gzip
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

from durably import Step, define_job
from pydantic import BaseModel, Field

HERE = Path(__file__).resolve().parent
EUROS = {"EUR": Decimal(1), "USD": Decimal("0.86"), "GBP": Decimal("1.14")}


class InvoicesInput(BaseModel):
    source: Path = Field(default=HERE / "invoices.csv", description="the CSV file to read")
    report: Path = Field(
        default=HERE.parent / "invoices-report.csv", description="the file to write"
    )


class Invoice(BaseModel):
    number: str
    day: date
    customer: str
    currency: str
    amount: str


class Report(BaseModel):
    invoices: int
    total: Decimal = Field(description="in euros")
    path: Path
    archive: Path


@define_job
def import_invoices(step: Step, payload: InvoicesInput) -> Report:
    """Import a month of invoices, and report what each customer owes."""
    invoices = step.run("read", read, payload.source)
    euros: dict[str, Decimal] = {}
    for done, invoice in enumerate(invoices, 1):
        euros[invoice.number] = step.run(f"amount-{invoice.number}", amount_in_euros, invoice)
        step.progress(done, len(invoices), invoice.customer)
    totals = step.run("add-up", add_up, invoices, euros)
    step.run("write-report", write_report, payload.report, totals)
    step.run("check-report", check_report, payload.report, sum(euros.values(), Decimal(0)))
    archive = step.run("archive", compress, payload.source, payload.report.with_suffix(".gz"))
    step.log.info("imported", invoices=len(invoices), customers=len(totals))
    return Report(
        invoices=len(invoices),
        total=sum(totals.values(), Decimal(0)),
        path=payload.report,
        archive=archive,
    )


def read(source: Path) -> list[Invoice]:
    with source.open(encoding="utf-8", newline="") as file:
        return [Invoice.model_validate(row) for row in csv.DictReader(file)]


def amount_in_euros(invoice: Invoice) -> Decimal:
    return (number(invoice.amount) * EUROS[invoice.currency]).quantize(Decimal("0.01"))


def number(text: str) -> Decimal:
    return Decimal(text)


def add_up(invoices: list[Invoice], euros: dict[str, Decimal]) -> dict[str, Decimal]:
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for invoice in invoices:
        totals[invoice.customer] += euros[invoice.number]
    return dict(sorted(totals.items()))


def write_report(path: Path, totals: dict[str, Decimal]) -> None:
    """Written anew as a whole, so that doing it twice does no harm."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("customer", "euros"), *totals.items()])


def check_report(path: Path, expected: Decimal) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        found = sum((Decimal(row["euros"]) for row in csv.DictReader(file)), Decimal(0))
    if found != expected:
        raise ValueError(f"the report says {found}, and the invoices say {expected}")


def compress(source: Path, target: Path) -> Path:
    target.write_bytes(gzip.compress(source.read_bytes(), mtime=0))
    return target
