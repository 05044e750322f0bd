"""Time periods of SDMX: the first and the last instant that each of their forms covers."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.formats.statistics.sdmx_model import Gathered
from connector.formats.statistics.sdmx_time import Covered, covered, step


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2020", "2020-01-01", "2020-12-31"),
        ("2020-Q3", "2020-07-01", "2020-09-30"),
        ("2020-S1", "2020-01-01", "2020-06-30"),
        ("2020-B2", "2020-07-01", "2020-12-31"),
        ("2020-W05", "2020-01-27", "2020-02-02"),
        ("2020-W53", "2020-12-28", "2021-01-03"),
        ("2020-08", "2020-08-01", "2020-08-31"),
        ("2020-01-01/P1M", "2020-01-01", "2020-01-31"),
        ("2020-01-01/P1Y", "2020-01-01", "2020-12-31"),
        ("2020-02-01/2020-03-15", "2020-02-01", "2020-03-15"),
        ("2020-08-09T10:00:00", "2020-08-09T10:00:00", "2020-08-09T10:00:00"),
        ("2020-08-09T10:00:00.250+02:00", "2020-08-09T08:00:00.250000", "2020-08-09T08:00:00.250000"),
        ("2020-08-09T24:00:00Z", "2020-08-10T00:00:00", "2020-08-10T00:00:00"),
        ("2020-08-09T10:00:00/PT1H", "2020-08-09T10:00:00", "2020-08-09T11:00:00"),
        ("2020-08-09/PT90M", "2020-08-09T00:00:00", "2020-08-09T01:30:00"),
        (" 2020-01-31/P1M ", "2020-01-31", "2020-02-28"),
    ],
)
def test_a_period_is_what_it_covers(text: str, begin: str, end: str) -> None:
    """Years, months and reporting periods to the end of their last day, moments and ranges with a clock exactly."""
    found = covered(text)
    assert found is not None
    assert (found.begin, found.end) == (begin, end)


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "2020-13", "2020-Q5", "2020-B3", "2020-W54", "2020-08-09T25:00:00", "2020-08-09T10", "T"),
        *("2020/2019", "2020-01-01/P", "2020-01-01/PT", "2020-01-01/", "a/P1D", "9999-12-31/P1D1", "1/2/3"),
        *("9999-12-01/P2M", "2020-01-01/P9999Y", "2020-01-01T00:00:00/P9999Y", "2020-08-09T10:00:00+99:00"),
    ],
)
def test_what_is_no_period_covers_nothing(text: str) -> None:
    """Text that names no time gives none, without an exception."""
    assert covered(text) is None


@given(st.text(alphabet="0123456789-/PQWMSTBHD:Z+. ", max_size=28))
def test_no_text_breaks_it(text: str) -> None:
    """Any text is a period that begins before it ends, or none; what it says fits a date or a moment of XML Schema."""
    found = covered(text)
    if found is not None:
        assert found.first <= found.last
        assert datetime.fromisoformat(found.begin) <= datetime.fromisoformat(found.end)
    step(text)


@given(st.integers(1, 9998), st.sampled_from([("A", 12), ("S", 6), ("T", 4), ("Q", 3), ("M", 1)]), st.data())
def test_reporting_periods_tile_the_year(year: int, kind: tuple[str, int], data: st.DataObject) -> None:
    """Each begins the day after the one before it ends; the first and the last are the ends of the year."""
    letter, months = kind
    number = data.draw(st.integers(1, 12 // months))
    found = covered(f"{year:04}-{letter}{number}")
    assert found is not None
    before = covered(f"{year:04}-{letter}{number - 1}")
    expected = date(year, 1, 1) if before is None else (before.last + timedelta(microseconds=1)).date()
    assert found.first.date() == expected
    assert (number == 12 // months) == (found.last.date() == date(year, 12, 31))


@given(st.dates(date(1, 1, 8), date(9998, 12, 24)))
def test_a_week_holds_its_days(day: date) -> None:
    """The ISO week of any day begins on a Monday, lasts seven days and holds the day."""
    year, week, _ = day.isocalendar()
    found = covered(f"{year:04}-W{week:02}")
    assert found is not None
    assert found.first.weekday() == 0
    assert (found.last.date() - found.first.date()).days == 6
    assert found.first.date() <= day <= found.last.date()


offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(*map(datetime.fromisoformat, ("0001-01-03", "9999-12-29")), timezones=offsets))
def test_a_moment_is_the_same_in_any_time_zone(moment: datetime) -> None:
    """A moment with an offset is that of UTC."""
    found = covered(moment.isoformat())
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    assert found == Covered(plain, plain, days=False)


@given(st.dates(date(1, 1, 1), date(9000, 1, 1)), st.integers(1, 500))
def test_a_range_of_months_ends_before_its_day_comes_again(start: date, months: int) -> None:
    """A range of n months ends the day before the same day n months later; months without that day end earlier."""
    found = covered(f"{start.isoformat()}/P{months}M")
    assert found is not None
    whole = start.month - 1 + months
    year, month = start.year + whole // 12, whole % 12 + 1
    again = date(year, month, min(start.day, monthrange(year, month)[1]))
    assert (found.first.date(), found.last.date()) == (start, again - timedelta(days=1))


@pytest.mark.parametrize(
    ("components", "times", "resolution"),
    [
        ({"FREQ": "M"}, ["2020-01"], "P1M"),
        ({"freq": "Q"}, ["2020-Q1"], "P3M"),
        ({"FREQ": "H"}, ["2020-01-01T00:00:00", "2020-01-01T01:00:00", "2020-01-01T02:00:00"], "PT1H"),
        ({"FREQ": "H"}, ["2020-S1"], "P6M"),
        ({"FREQ": "N"}, ["2020-01-01T00:00:00", "2020-01-01T00:01:00"], None),
        ({"TIME_FORMAT": "P1Y"}, ["2020"], "P1Y"),
        ({"TIME_FORMAT": "602"}, ["2020"], "P1Y"),
        ({}, ["2020-W05", "2020-W07"], "P7D"),
        ({}, ["2020-01-01/P1M"], "P1M"),
        ({}, ["2020-01", "2020"], None),
        ({}, ["2020-01-01T00:00:00", "2020-01-01T06:00:00", "2020-01-01T18:00:00"], None),
    ],
)
def test_the_resolution_is_said_or_seen(components: dict[str, str], times: list[str], resolution: str | None) -> None:
    """The code of the frequency, else the time format, else the form of the periods or an even distance of moments."""
    seen = Gathered()
    for name, code in components.items():
        seen.note(name, "dimension", code)
    for text in times:
        seen.time(text)
    assert seen.spacing() == resolution
