"""A kind of step is one operation and one method of Step: here a sleep, made of nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from durably_cli import Step
from durably_cli.errors import Interrupted, StepMisused
from durably_cli.journal import events
from durably_cli.journal.events import Event, Json, StepCompleted
from durably_cli.journal.log import MemoryLog
from durably_cli.steps.operation import All, Call, Operation, Past, Plan, Wait
from durably_cli.system import clock
from durably_cli.values import convert
from tests.conftest import Project

SLEEP = Path(__file__).with_name("sleep_kind.py")


def seconds_until(moment: str) -> float:
    return (clock.read(moment) - datetime.now(UTC)).total_seconds()
