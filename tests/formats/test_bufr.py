"""BUFR bulletins: several messages in the paper of the telecommunication system, and what is in them."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import eccodes
import numpy as np
import pytest

from connector.errors import InvalidInput
from connector.formats import Facts, Limits, describe
from connector.formats.weather import bufr

PLACE: Final = (5001, 6001)
TIME: Final = (4001, 4002, 4003, 4004, 4005)
HEADER: Final = b"0000564200\x01\r\r\n336\r\r\nISMD10 EDZW 161200\r\r\n"
Positions = list[tuple[float, float]]


def message(
    positions: Positions,
    *,
    clock: int = 12,
    descriptors: tuple[int, ...] = (*TIME, *PLACE, 12101, 11002),
    compressed: bool = False,
    year: int = 2024,
) -> bytes:
    """Return a message of 1 March 2024 with a subset for each position (lat, lon)."""
    handle = eccodes.codes_bufr_new_from_samples("BUFR4")
    try:
        for key, value in (
            ("masterTablesVersionNumber", 24),
            ("localTablesVersionNumber", 0),
            ("bufrHeaderCentre", 78),
            ("dataCategory", 0),
            ("numberOfSubsets", len(positions)),
            ("compressedData", int(compressed)),
            *(("typical" + name, part) for name, part in (("Year", 2024), ("Month", 3), ("Day", 1))),
            *(("typical" + name, part) for name, part in (("Hour", clock), ("Minute", 0), ("Second", 0))),
        ):
            eccodes.codes_set(handle, key, value)
        eccodes.codes_set_array(handle, "unexpandedDescriptors", descriptors)
        codes = {
            4001: ("year", year),
            4002: ("month", 3),
            4003: ("day", 1),
            4004: ("hour", clock),
            4005: ("minute", 50),
        }
        for code, (key, value) in codes.items():
            if code in descriptors:
                eccodes.codes_set_array(handle, key, [value] * len(positions))
        for at, (code, key) in enumerate(((5001, "latitude"), (6001, "longitude"))):
            if code in descriptors:
                eccodes.codes_set_double_array(handle, key, [each[at] for each in positions])
        eccodes.codes_set(handle, "pack", 1)
        return bytes(eccodes.codes_get_message(handle))
    finally:
        eccodes.codes_release(handle)


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., Facts]:
    """Return a function that writes messages to a file and reads it."""

    def write_and_read(*messages: bytes, limits: Limits | None = None) -> Facts:
        path = tmp_path / "x.bufr"
        path.write_bytes(b"".join(messages))
        return bufr.read(path, limits or Limits())

    return write_and_read


def sides(found: Facts) -> tuple[float, float, float, float]:
    """Return the box as W S E N."""
    assert found.bbox is not None
    return found.bbox.west, found.bbox.south, found.bbox.east, found.bbox.north


@pytest.mark.parametrize("compressed", [False, True])
def test_a_bulletin_is_its_messages_together(compressed: bool, described: Callable[..., Facts]) -> None:
    """Several messages behind bulletin headers: positions, times, subsets and quantities of all of them."""
    one = message([(50.0, 10.0), (52.5, 12.25)], clock=6, compressed=compressed)
    two = message([(47.5, 179.0), (48.0, -178.0)], clock=12, compressed=compressed)
    found = described(HEADER, one, b"\r\r\n\x03", HEADER, two)
    assert sides(found) == pytest.approx((10.0, 47.5, -178.0, 52.5), abs=1e-4)
    assert (found.rows, found.format, found.publisher) == (4, "BUFR", "Offenbach")
    assert found.messages is not None
    assert (found.messages.count, found.messages.subsets, found.messages.categories) == (2, 4, (0,))
    assert found.messages.reference == ("2024-03-01T06:00:00", "2024-03-01T12:00:00")
    assert found.period is not None
    assert (found.period.first, found.period.last) == ("2024-03-01T06:50:00", "2024-03-01T12:50:00")
    assert [(each.name, each.unit) for each in found.variables] == [("airTemperature", "K"), ("windSpeed", "m/s")]
    assert found.notes == ()


def test_one_place_of_many_subsets_is_stored_once(described: Callable[..., Facts]) -> None:
    """In a compressed message what is the same for all stands once; it is still the place of all."""
    found = described(message([(50.0, 10.0), (50.0, 12.0)], compressed=True))
    assert sides(found) == pytest.approx((10.0, 50.0, 12.0, 50.0), abs=1e-4)


def test_missing_positions_are_no_place(described: Callable[..., Facts]) -> None:
    """A missing latitude is a huge negative number to the library; it widens no box."""
    missing = eccodes.CODES_MISSING_DOUBLE
    assert sides(described(message([(50.0, 10.0), (missing, missing)]))) == pytest.approx((10, 50, 10, 50), abs=1e-4)
    found = described(message([(missing, missing)]))
    assert found.bbox is None
    assert any("name the place by hand" in note for note in found.notes)


def test_without_times_of_their_own_observations_have_the_time_of_the_message(described: Callable[..., Facts]) -> None:
    """The typical time stands in, and that is said."""
    found = described(message([(50.0, 10.0)], clock=9, descriptors=(*PLACE, 12101)))
    assert found.period is not None
    assert (found.period.first, found.period.variable) == ("2024-03-01T09:00:00", "typicalDate/Time")
    assert found.sources["period"] == "attribute"
    assert any("typical times" in note for note in found.notes)


def test_a_missing_time_is_no_time(described: Callable[..., Facts]) -> None:
    """An observation without a year has the time of its message."""
    found = described(message([(50.0, 10.0)], clock=9, year=eccodes.CODES_MISSING_LONG))
    assert found.period is not None
    assert (found.period.first, found.period.variable) == ("2024-03-01T09:00:00", "typicalDate/Time")


def test_without_positions_the_place_is_open(described: Callable[..., Facts]) -> None:
    """Observations of stations that are only named by number give no box."""
    found = described(message([(0.0, 0.0)], descriptors=(*TIME, 12101)))
    assert found.bbox is None
    assert any("name the place by hand" in note for note in found.notes)


def test_only_so_many_messages_are_unpacked(described: Callable[..., Facts], monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number the extent is from the first messages, and says so; subsets and typical times are of all."""
    monkeypatch.setattr(bufr, "UNPACKED_MESSAGES", 2)
    found = described(*[message([(50.0 + n, 10.0)], clock=n) for n in range(5)])
    assert "The extent is from the first 2 of 5 messages." in found.notes
    assert found.bbox is not None
    assert (found.bbox.north, found.bbox.basis, found.bbox.approximate) == (51.0, "sampled", True)
    assert found.period is not None
    assert (found.rows, found.period.last) == (5, "2024-03-01T04:00:00")


def test_only_so_many_messages_are_looked_at(described: Callable[..., Facts]) -> None:
    """A file of very many messages is described from the first ones, and says of how many."""
    found = described(*[message([(50.0, 10.0)])] * 4, limits=Limits(messages=3))
    assert "The description rests on the first 3 of 4 messages." in found.notes


def test_messages_of_unknown_tables_are_told(described: Callable[..., Facts]) -> None:
    """A descriptor that no table knows cannot be unpacked; the others are, and the provider is told."""
    sound = message([(50.0, 10.0)])
    # Descriptor 0 12 101 in section 3 becomes 0 12 255, which is not assigned.
    strange = sound.replace(bytes([0x0C, 101]), bytes([0x0C, 255]), 1)
    assert strange != sound
    found = described(sound, strange)
    assert any("1 messages are coded by tables that are not known" in note for note in found.notes)
    assert sides(found) == pytest.approx((10.0, 50.0, 10.0, 50.0), abs=1e-4)


def test_a_bulletin_cut_off_anywhere_is_refused(described: Callable[..., Facts]) -> None:
    """The lengths in the messages and their last four bytes tell."""
    one = message([(50.0, 10.0), (51.0, 11.0)])
    for cut in range(1, len(one) - 4, 7):
        with pytest.raises(InvalidInput, match="cut off in"):
            described(HEADER, one, HEADER, one[:-cut])
    with pytest.raises(InvalidInput, match="damaged"):
        described(one[:-4] + b"7778")
    with pytest.raises(InvalidInput, match="edition 1"):
        described(one[:7] + b"\x01" + one[8:])
    with pytest.raises(InvalidInput, match="no BUFR message"):
        described(HEADER)


def test_the_head_of_a_message_that_is_missing_is_told(described: Callable[..., Facts]) -> None:
    """A bulletin cut off within the header of its next message has no broken message; the rest of it tells."""
    one = message([(50.0, 10.0)])
    assert described(HEADER, one, b"\r\r\n\x03", b"0000000000").notes == ()
    found = described(HEADER, one, b"\r\r\n\x03", HEADER)
    assert any("may be truncated" in note for note in found.notes)


@pytest.mark.parametrize("seed", range(6))
def test_changed_bytes_are_a_refusal_or_an_answer(seed: int, tmp_path: Path) -> None:
    """Threat: bytes changed to hit the decoder. The child may fall; the caller gets a sentence or facts in range."""
    random = np.random.default_rng(seed)
    raw = bytearray(message([(50.0, 10.0), (51.0, 11.0)]) * 3)
    for at in random.integers(8, len(raw) - 4, 12):
        raw[at] = random.integers(0, 256)
    path = tmp_path / "x.bufr"
    path.write_bytes(raw)
    with suppress(InvalidInput):
        assert describe(path, limits=Limits(cpu_seconds=10)).format == "BUFR"
