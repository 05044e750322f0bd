"""Times in policies: read from `xsd:dateTime` and `xsd:date`, written back, and put into words. Always UTC inside."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from connector.standards.odrl.policy import Day

_DATE: Final = r"(?P<date>\d{4}-\d{2}-\d{2})"
_ZONE: Final = r"(?P<zone>Z|[+-]\d{2}:\d{2})?"
_DAY: Final = re.compile(f"{_DATE}{_ZONE}", re.ASCII)
_MOMENT: Final = re.compile(
    rf"{_DATE}T(?P<hour>\d{{2}}):(?P<minute>\d{{2}})(:(?P<second>\d{{2}})(\.(?P<fraction>\d{{1,12}}))?)?{_ZONE}",
    re.ASCII,
)
_MICRO: Final = 6
_WIDEST_ZONE: Final = 14 * 60
_MINUTES: Final = 60
_MONTHS: Final = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)


def moment(text: str, kind: str | None, note: Callable[[str], None]) -> datetime | Day:
    """Read `text` as an instant or a day; `kind` is "date", "dateTime" or None for whichever it is.

    Without a zone it is read as UTC; missing seconds, as the Dataspace Protocol's own examples have them, are zero;
    both are noted.

    Raises:
        ValueError: it is neither; the message says what is allowed.
    """
    clean = text.strip()
    try:
        if kind != "dateTime" and (found := _DAY.fullmatch(clean)):
            return _day(found, note)
        if kind != "date" and (found := _MOMENT.fullmatch(clean)):
            return _instant(found, note)
    except (ValueError, OverflowError) as unreal:
        raise ValueError(f"{text!r} is no time that exists ({unreal}).") from unreal
    wanted = {"date": "an xsd:date such as 2026-12-31", "dateTime": "an xsd:dateTime such as 2026-12-31T12:00:00Z"}
    raise ValueError(f"{text!r} is no time; allowed is {wanted.get(kind or '', ' or '.join(wanted.values()))}.")


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta()
    minutes = int(zone[1:3]) * _MINUTES + int(zone[4:6])
    if minutes > _WIDEST_ZONE or int(zone[4:6]) >= _MINUTES:
        raise ValueError(f"there is no zone {zone}")
    return timedelta(minutes=-minutes if zone[0] == "-" else minutes)


def _day(found: re.Match[str], note: Callable[[str], None]) -> Day:
    if found["zone"] is None:
        note(f"the date {found['date']} has no zone and was read as a day in UTC")
    day = Day(datetime.fromisoformat(found["date"]).replace(tzinfo=UTC) - _offset(found["zone"]))
    _ = day.end  # overflows where the day has no end that can be written
    return day


def _instant(found: re.Match[str], note: Callable[[str], None]) -> datetime:
    text = found.group()
    if found["zone"] is None:
        note(f"the time {text} has no zone and was read as UTC")
    if found["second"] is None:
        note(f"the time {text} has no seconds and was read as on the minute")
    fraction = found["fraction"] or ""
    if fraction[_MICRO:].strip("0"):
        note(f"the time {text} was cut to microseconds")
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
    micro = int(fraction[:_MICRO].ljust(_MICRO, "0"))
    midnight_after = (hour, minute, second, micro) == (24, 0, 0, 0)
    start = datetime.fromisoformat(found["date"]).replace(tzinfo=UTC)
    clock = start.replace(hour=0 if midnight_after else hour, minute=minute, second=second, microsecond=micro)
    return clock + timedelta(days=1 if midnight_after else 0) - _offset(found["zone"])


def text_of(value: datetime | Day) -> str:
    """Write an instant as `xsd:dateTime` and a day as `xsd:date`, with the zone only where it is not UTC."""
    if isinstance(value, datetime):
        return value.isoformat().removesuffix("+00:00") + "Z"
    # A day that starts before noon UTC belongs to a zone west of Greenwich; one that starts later, to one east of it.
    start = value.start
    past = timedelta(hours=start.hour, minutes=start.minute)
    if not past:
        return start.date().isoformat()
    if past <= timedelta(hours=12):
        return f"{start.date().isoformat()}-{start:%H:%M}"
    ahead = timedelta(days=1) - past
    hours, minutes = divmod(int(ahead.total_seconds()) // _MINUTES, _MINUTES)
    return f"{(start + ahead).date().isoformat()}+{hours:02}:{minutes:02}"


def is_midnight(value: datetime) -> bool:
    """Whether a UTC day starts at `value`."""
    return (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)


def date_words(value: datetime) -> str:
    """Return e.g. "31 December 2026"."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def last_day_words(end: datetime) -> str:
    """Word the last day before the midnight `end`; the calendar's first midnight has none and is named itself."""
    try:
        return date_words(end - timedelta(days=1))
    except OverflowError:
        return f"the day before {date_words(end)}"


def words(value: datetime) -> str:
    """Return e.g. "31 December 2026, 12:00 UTC", with seconds where they are not zero."""
    clock = f"{value:%H:%M}"
    if value.second or value.microsecond:
        clock = f"{value:%H:%M:%S}" + (f".{value.microsecond:06}".rstrip("0") if value.microsecond else "")
    return f"{date_words(value)}, {clock} UTC"


def day_words(day: Day) -> str:
    """Return e.g. "31 December 2026 (UTC)"; a day of another zone is named by its first instant."""
    if is_midnight(day.start):
        return f"{date_words(day.start)} (UTC)"
    return f"the day that starts at {words(day.start)}"
