"""Times written as text: what is read, what is refused, and what stays open because it could be two things."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.formats.coordinates import moments
from connector.formats.coordinates.moments import Moments

EARLIEST: Final = datetime(1900, 1, 1)  # noqa: DTZ001 - UTC, as moments are kept


def read(*texts: str) -> Moments:
    """Return the times of a column with these values."""
    found = Moments("when")
    found.add(texts)
    return found


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2020", "2020-01-01", "2020-12-31"),
        ("2020-02", "2020-02-01", "2020-02-29"),
        ("2020-02-03", "2020-02-03", "2020-02-03"),
        ("2020/2/3", "2020-02-03", "2020-02-03"),
        ("2020.02.03", "2020-02-03", "2020-02-03"),
        ("3.2.2020", "2020-02-03", "2020-02-03"),
        ("20200203", "2020-02-03", "2020-02-03"),
        ("2020020312", "2020-02-03T12:00:00", "2020-02-03T12:00:00"),
        ("202002031230", "2020-02-03T12:30:00", "2020-02-03T12:30:00"),
        ("20200203T123001Z", "2020-02-03T12:30:01", "2020-02-03T12:30:01"),
        ("2020-02-03T12:30", "2020-02-03T12:30:00", "2020-02-03T12:30:00"),
        ("2020-02-03 9:30", "2020-02-03T09:30:00", "2020-02-03T09:30:00"),
        ("2020-02-03T12:30:15.5Z", "2020-02-03T12:30:15.500", "2020-02-03T12:30:15.500"),
        ("2020-02-03T12:30:15+02:00", "2020-02-03T10:30:15", "2020-02-03T10:30:15"),
        ("2020-02-03 12:30:15 UTC", "2020-02-03T12:30:15", "2020-02-03T12:30:15"),
        ("2020-02-03T24:00", "2020-02-04T00:00:00", "2020-02-04T00:00:00"),
        ("31/12/2020", "2020-12-31", "2020-12-31"),
        ("12/31/2020", "2020-12-31", "2020-12-31"),
    ],
)
def test_a_time_is_read(text: str, begin: str, end: str) -> None:
    """Each form gives when it begins and when it ends, in UTC."""
    period = read(text).period()
    assert period is not None
    assert (period.begin, period.end) == (begin, end)


@pytest.mark.parametrize(
    "text",
    [
        "2020-02-30",
        "2020-13-01",
        "1583020800",
        "43831",
        "200112",
        "12:30",
        "yesterday",
        "0000-01-01",
        "99991231T999999",
        "9999-12-31T24:00",
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    """Days that there are not, serial numbers and words give no period, and the provider is told."""
    found = read(text)
    assert found.period() is None
    assert text in found.notes()[0]


def test_days_that_can_be_read_in_two_ways_stay_open() -> None:
    """03/04/2020 is two days; one value that can be only one of them settles the column."""
    open_days = read("03/04/2020", "05/06/2020")
    assert open_days.period() is None
    assert "day/month or as month/day" in open_days.notes()[0]
    settled = read("03/04/2020", "13/06/2020").period()
    assert settled is not None
    assert (settled.begin, settled.end) == ("2020-04-03", "2020-06-13")
    assert read("13/04/2020", "04/13/2020").period() is None


def test_a_few_values_that_are_no_times_are_said_and_passed_over() -> None:
    """One wrong value in many does not take the period away; one in two does."""
    days = [f"2020-01-{day:02}" for day in range(1, 31)]
    found = read(*days, "unknown", "", "NA")
    assert found.period() is not None
    assert found.notes() == ["1 different values in column 'when' are no times, as 'unknown'."]
    assert read("2020-01-01", "unknown").period() is None


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-03"], "P1D"),
        (["2020-01", "2020-02", "2020-03"], "P1M"),
        (["2018", "2019", "2020", "2021"], "P1Y"),
        (["2020-01-01T00:00", "2020-01-01T06:00", "2020-01-01T12:00"], "PT6H"),
        (["2020-01-01", "2020-01-02", "2020-01-05"], None),
        (["2020-01-01", "2020-01-02"], None),
        (["2020-01-01"], None),
    ],
)
def test_the_spacing_is_that_of_different_times(texts: list[str], expected: str | None) -> None:
    """Repeated times count once, irregular ones and fewer than three give nothing."""
    assert read(*texts).spacing() == expected


@given(
    st.lists(st.datetimes(EARLIEST, EARLIEST.replace(year=2100)).map(lambda at: at.replace(microsecond=0)), min_size=1),
    st.integers(-12, 12),
)
def test_times_written_by_the_standard_library_are_read_back(instants: list[datetime], hours: int) -> None:
    """ISO 8601 with an offset gives the same instants, in UTC."""
    zone = timezone(timedelta(hours=hours))
    texts = [each.replace(tzinfo=UTC).astimezone(zone).isoformat() for each in instants]
    period = read(*texts).period()
    assert period is not None
    assert (period.begin, period.end) == (min(instants).isoformat(), max(instants).isoformat())


@given(
    st.lists(st.dates(date(1000, 1, 1), date(2999, 12, 31)), min_size=1),
    st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%Y%m%d"]),
)
def test_days_in_any_certain_form_are_read_back(days: list[date], form: str) -> None:
    """The order of day, month and year is never mistaken."""
    days = [day for day in days if form != "%Y%m%d" or 1850 <= day.year < 2200] or [date(2000, 1, 1)]
    period = read(*(each.strftime(form) for each in days)).period()
    assert period is not None
    assert (period.begin, period.end) == (min(days).isoformat(), max(days).isoformat())


@given(st.text(max_size=30))
def test_any_text_is_read_or_said_to_be_none(text: str) -> None:
    """No text stops the reading; a period that is found begins before it ends, and is a form that a record takes."""
    found = read(text)
    period = found.period()
    assert period is None or period.begin[:4] <= period.end[:4]
    assert found.spacing() is None
    assert all(note.endswith((".", ":", ")")) for note in found.notes())


def test_more_times_than_are_kept_still_give_the_period(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first and the last are known however many there are; their number and spacing are not, then."""
    monkeypatch.setattr(moments, "KEPT", 1000)
    found = Moments("when")
    start = EARLIEST.replace(year=2000)
    for day in range(0, 3000, 500):
        found.add((start + timedelta(minutes=each)).isoformat() for each in range(day, day + 500))
    period = found.period()
    assert period is not None
    assert period.begin == "2000-01-01T00:00:00"
    assert period.count is None
    assert found.spacing() is None
