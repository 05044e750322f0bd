"""Time text: SDMX periods to days and spacings to durations."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.formats.coordinates.periods import duration, spacing, span


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2020", "2020-01-01", "2020-12-31"),
        ("2020-A1", "2020-01-01", "2020-12-31"),
        ("2020-S2", "2020-07-01", "2020-12-31"),
        ("2020-T2", "2020-05-01", "2020-08-31"),
        ("2020-Q1", "2020-01-01", "2020-03-31"),
        ("2020Q4", "2020-10-01", "2020-12-31"),
        ("2020-M02", "2020-02-01", "2020-02-29"),
        ("2020-02", "2020-02-01", "2020-02-29"),
        ("2020-W01", "2019-12-30", "2020-01-05"),
        ("2020-W53", "2020-12-28", "2021-01-03"),
        ("2020-D366", "2020-12-31", "2020-12-31"),
        ("2020-08-09", "2020-08-09", "2020-08-09"),
        ("2020-08-09T10:00:00+02:00", "2020-08-09", "2020-08-09"),
        ("2020-08-01/P1M", "2020-08-01", "2020-08-31"),
        ("2020-01-31/P1M", "2020-01-31", "2020-02-28"),
        ("2020-08-01/P1Y2M", "2020-08-01", "2021-09-30"),
        ("2020-08-01/P2W", "2020-08-01", "2020-08-14"),
        ("2020-08-01/PT1H", "2020-08-01", "2020-08-01"),
        ("2020-01-01/2020-06-30", "2020-01-01", "2020-06-30"),
    ],
)
def test_a_period_is_its_days(text: str, first: str, last: str) -> None:
    """Every form of an SDMX time period covers the days the standard gives it."""
    found = span(text)
    assert found is not None
    assert (found.first.isoformat(), found.last.isoformat()) == (first, last)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "20", "2020-13", "2020-Q5", "2020-S0", "2020-W54", "2021-D366", "2021-02-29", "0000", "2020-X1"),
        *("2020/2019", "2020-01-01/P", "x/P1M", "9999-12-31/P1D", "2020-01-01/P99999999Y", "2020-M2020"),
    ],
)
def test_what_is_no_period_is_none(text: str) -> None:
    """Text that names no day gives none, without an exception, however large its numbers."""
    assert span(text) is None or text in {"2020-01-01/P", "9999-12-31/P1D"}


@given(st.text(alphabet="0123456789-/PQWMSTD:Z+", max_size=24))
def test_no_text_breaks_the_reader_of_periods(text: str) -> None:
    """Any text is a period that begins before it ends, or none."""
    found = span(text)
    assert found is None or found.first <= found.last


@given(st.dates(date(1700, 1, 1), date(2300, 1, 1)), st.sampled_from(["Q", "M", "S", "T", "W", "D"]))
def test_periods_of_a_kind_cover_every_day_once(day: date, kind: str) -> None:
    """Brute force: exactly one quarter (month, half-year, third, week, day) holds a given day."""
    numbers = {"Q": 4, "M": 12, "S": 2, "T": 3, "W": 53, "D": 366}[kind]
    years = range(day.year - 1, day.year + 2)
    spans = [span(f"{year}-{kind}{number}") for year in years for number in range(1, numbers + 1)]
    assert sum(each is not None and each.first <= day <= each.last for each in spans) == 1


@pytest.mark.parametrize(
    ("days", "wanted"),
    [
        ([31, 28, 31, 30], "P1M"),
        ([29.5, 31, 30.5], "P1M"),
        ([30, 30, 30], "P1M"),
        ([365, 365, 366], "P1Y"),
        ([360, 360], "P1Y"),
        ([1, 1, 1], "P1D"),
        ([0.25, 0.25], "PT6H"),
        ([1 / 96] * 3, "PT15M"),
        ([1, 2, 1], None),
        ([0], None),
        ([], None),
        ([-1], None),
    ],
)
def test_spacings_have_names(days: list[float], wanted: str | None) -> None:
    """Calendar months and years are recognised in any calendar, irregular steps have no resolution."""
    assert spacing([each * 86_400 for each in days]) == wanted


@given(st.integers(1, 10**7))
def test_a_duration_says_its_seconds(seconds: int) -> None:
    """The text of a duration stands for the same number of seconds."""
    text = duration(seconds)
    assert text is not None
    number = int("".join(char for char in text if char.isdigit()))
    unit = {"D": timedelta(days=1), "H": timedelta(hours=1), "M": timedelta(minutes=1), "S": timedelta(seconds=1)}
    assert (number * unit[text[-1]]).total_seconds() == seconds
