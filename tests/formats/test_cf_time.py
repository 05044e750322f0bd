"""When values hold: calendars, bounds that lie, and the many ways in which files write a time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.formats import Facts
from tests.formats.cffiles import lattice, put, read


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., Facts]:
    """Return a function that writes a file and reads it."""
    return lambda fill, **more: read(tmp_path / "x.nc", fill, **more)


def axis(values: Any, units: str, bounds: Any = None, **more: Any) -> Callable[[Any], None]:
    """Return what adds a time coordinate and data along it to a file."""

    def fill(file: Any) -> None:
        named = {} if bounds is None else {"bounds": "time_bnds"}
        put(file, "time", ("time",), values, units=units, standard_name="time", **named, **more)
        put(file, "a", ("time",), np.zeros(np.size(values)))
        if bounds is not None:
            put(file, "time_bnds", ("time", "bnds"), bounds)

    return fill


@pytest.mark.parametrize(
    ("calendar", "covers", "ours"),
    [
        ("360_day", ("2001-02-30T00:00:00", "2001-03-30T00:00:00"), ("2001-02-28T00:00:00", "2001-03-30T00:00:00")),
        ("365_day", ("2001-03-01T00:00:00", "2001-03-31T00:00:00"), ("2001-03-01T00:00:00", "2001-03-31T00:00:00")),
        ("noleap", ("2001-03-01T00:00:00", "2001-03-31T00:00:00"), ("2001-03-01T00:00:00", "2001-03-31T00:00:00")),
        ("366_day", ("2001-02-29T00:00:00", "2001-03-30T00:00:00"), ("2001-02-28T00:00:00", "2001-03-30T00:00:00")),
        ("julian", ("2001-03-01T00:00:00", "2001-03-31T00:00:00"), ("2001-03-14T00:00:00", "2001-04-13T00:00:00")),
        ("standard", ("2001-03-01T00:00:00", "2001-03-31T00:00:00"), ("2001-03-01T00:00:00", "2001-03-31T00:00:00")),
    ],
)
def test_a_period_is_told_in_its_own_calendar_and_in_ours(
    calendar: str, covers: tuple[str, str], ours: tuple[str, str], described: Callable[..., Facts]
) -> None:
    """What is covered stands in the file's calendar; the Gregorian period beside it is of real dates."""
    period = described(axis([59, 89], "days since 2001-01-01", calendar=calendar)).period
    assert period is not None
    assert (period.covers, (period.begin, period.end), period.calendar) == (covers, ours, calendar)


def test_bounds_are_covered_in_the_calendar_of_the_file(described: Callable[..., Facts]) -> None:
    """Time bounds widen what is covered, and keep the days that only this calendar has."""
    found = described(axis([15], "days since 2000-02-01", [[0, 29]], calendar="360_day"))
    assert found.period is not None
    assert found.period.covers == ("2000-02-01T00:00:00", "2000-02-30T00:00:00")
    assert (found.period.first, found.period.end) == ("2000-02-16T00:00:00", "2000-02-29T00:00:00")
    assert any("calendar '360_day'" in note for note in found.notes)


def test_means_without_bounds_cover_their_stamps_only(described: Callable[..., Facts]) -> None:
    """The period is widened by half a step and marked; what the file itself covers is not."""

    def fill(file: Any) -> None:
        axis([0.5, 1.5, 2.5], "days since 2000-01-01")(file)
        file["a"].cell_methods = "time: mean"

    period = described(fill).period
    assert period is not None
    assert (period.basis, period.begin, period.end) == ("derived", "2000-01-01T00:00:00", "2000-01-04T00:00:00")
    assert period.covers == ("2000-01-01T12:00:00", "2000-01-03T12:00:00")


@pytest.mark.parametrize("bounds", [[[0, 0]] * 3, [[5, 6]] * 3])
def test_bounds_that_do_not_hold_their_times_are_left_out(bounds: Any, described: Callable[..., Facts]) -> None:
    """Bounds full of zeros, or left over from another file, are not believed, and that is said."""
    found = described(axis([10, 11, 12], "days since 2000-01-01", bounds))
    assert found.period is not None
    assert found.period.covers == ("2000-01-11T00:00:00", "2000-01-13T00:00:00")
    assert any("do not hold its time stamps" in note for note in found.notes)


@pytest.mark.parametrize(
    ("values", "units", "first", "last"),
    [
        ([0, 1], "days since 2000-01-01T00:00:00Z", "2000-01-01T00:00:00", "2000-01-02T00:00:00"),
        ([0, 1], "days since 2000-1-1 00:00:0.0", "2000-01-01T00:00:00", "2000-01-02T00:00:00"),
        ([0, 1], "hours since 2000-01-01 00:00:00 UTC", "2000-01-01T00:00:00", "2000-01-01T01:00:00"),
        ([0, 60], "Seconds since 2000-01-01 12:00", "2000-01-01T12:00:00", "2000-01-01T12:01:00"),
        ([0, 1], "hours since 2000-01-01 06:00:00 +6:00", "2000-01-01T00:00:00", "2000-01-01T01:00:00"),
        ([0, 1], "hours since 2000-01-01 06:00:00 -6:00", "2000-01-01T12:00:00", "2000-01-01T13:00:00"),
        ([0, 1], "hours since 2000-01-01 06:00:00 +0600", "2000-01-01T00:00:00", "2000-01-01T01:00:00"),
        ([0, 1], "hours since 2000-01-01 06:00:00 -6", "2000-01-01T12:00:00", "2000-01-01T13:00:00"),
        ([0, 10**9], "nanoseconds since 2000-01-01", "2000-01-01T00:00:00", "2000-01-01T00:00:01"),
        ([20000101.25, 20000229.5], "day as %Y%m%d.%f", "2000-01-01T06:00:00", "2000-02-29T12:00:00"),
        ([0.1, 0.2], "days since 2000-01-01", "2000-01-01T02:24:00", "2000-01-01T04:48:00"),
    ],
)
def test_units_are_read_as_files_write_them(
    values: list[float], units: str, first: str, last: str, described: Callable[..., Facts]
) -> None:
    """Zones, single digits, capitals, nanoseconds and dates as numbers."""
    period = described(axis(values, units)).period
    assert period is not None
    assert (period.first, period.last) == (first, last)


@given(st.integers(0, 200_000), st.integers(2, 20), st.integers(1, 48))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_unit_does_not_matter(described: Callable[..., Facts], start: int, count: int, step: int) -> None:
    """Hours, days and seconds since the same time give the same period and the same spacing."""
    hours = start + step * np.arange(count)
    found = [
        described(axis(hours * factor, f"{unit} since 1950-01-01"))
        for unit, factor in (("hours", 1), ("days", 1 / 24), ("seconds", 3600))
    ]
    assert len({(each.period, each.temporal_resolution) for each in found}) == 1
    wanted = f"P{step // 24}D" if step % 24 == 0 else f"PT{step}H"
    assert found[0].temporal_resolution == wanted


def test_irregular_times_have_no_resolution(described: Callable[..., Facts]) -> None:
    """A step that changes is no step."""
    assert described(axis([0, 1, 3, 9], "days since 2000-01-01")).temporal_resolution is None
    assert described(axis([0, 31, 60, 91], "days since 2000-01-01")).temporal_resolution == "P1M"


def test_times_of_several_groups_are_one_period(described: Callable[..., Facts]) -> None:
    """Each group has its own time coordinate of the same name; together they are the period of the file."""

    def fill(file: Any) -> None:
        axis([0, 1], "days since 2000-01-01")(file.createGroup("one"))
        axis([5, 6], "days since 2000-01-01")(file.createGroup("two"))

    period = described(fill).period
    assert period is not None
    assert (period.first, period.last, period.count) == ("2000-01-01T00:00:00", "2000-01-07T00:00:00", 4)


def test_an_empty_record_axis_is_told(described: Callable[..., Facts]) -> None:
    """A file without a record yet has a time coordinate without values."""

    def fill(file: Any) -> None:
        file.createDimension("time", None)
        file.createVariable("time", "f8", ("time",)).units = "days since 2000-01-01"

    found = described(fill)
    assert found.period is None
    assert any("holds no values" in note for note in found.notes)


@pytest.mark.parametrize(
    "names", [("time_coverage_start", "time_coverage_end"), ("start_time", "stop_time"), ("start_date", "stop_date")]
)
@pytest.mark.parametrize("form", ["2019-03-01T00:00:00Z", "20190301T000000Z", "2019-03-01", "20190301"])
def test_claims_of_time_are_compared_in_every_form(
    names: tuple[str, str], form: str, described: Callable[..., Facts]
) -> None:
    """ISO 8601, basic and extended, under the names of ACDD, GHRSST and others."""
    claim: dict[str, str] = dict.fromkeys(names, form)
    alone = described(lattice, **claim)
    assert alone.period is not None
    assert (alone.period.begin, alone.period.basis) == ("2019-03-01", "attribute")
    found = described(axis([0, 1], "days since 2000-01-01"), **claim)
    assert any("claim the period 2019-03-01" in note for note in found.notes)
    assert found.period is not None
    assert found.period.first == "2000-01-01T00:00:00"


@pytest.mark.parametrize(
    ("texts", "period"),
    [
        (["2020-01-01_00:00:00", "2020-01-01_06:00:00"], ("2020-01-01T00:00:00", "2020-01-01T06:00:00")),
        (["2020-03-01", "2020-02-29"], ("2020-02-29T00:00:00", "2020-03-01T00:00:00")),
        (["2020-01-01T00:00:00.250Z"], ("2020-01-01T00:00:00.250", "2020-01-01T00:00:00.250")),
        (["2020-02-30", "2020-03-01"], None),
        (["2020-01-01", "spring"], None),
        ([], None),
    ],
)
def test_times_that_are_written_out_are_times_when_all_of_them_are(
    texts: list[str], period: tuple[str, str] | None, tmp_path: Path
) -> None:
    """Weather models write rows of characters, others strings; neither has units that count from a date."""

    def characters(file: Any) -> None:
        put(
            file,
            "Times",
            ("Time", "Length"),
            np.array([list(each.ljust(24)) for each in texts] or [], "S1").reshape(-1, 24),
        )

    def strings(file: Any) -> None:
        file.createDimension("time", len(texts))
        variable = file.createVariable("time", str, ("time",))
        for number, text in enumerate(texts):
            variable[number] = text

    for number, fill in enumerate((characters, strings)):
        found = read(tmp_path / f"{number}.nc", fill).period
        assert (None if found is None else (found.first, found.last)) == period
