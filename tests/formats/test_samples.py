"""Every file of the sample set beside the checkout that our readers know, against the facts found by other programs."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from connector.formats import describe
from tests.conftest import references
from tests.formats import facts

FOLDER: Final = references() / "data"
SUFFIXES: Final = (".nc", ".grib", ".grib2", ".tif", ".xml", ".sdmx1.csv", ".sdmx2.csv")
EXPECTED: Final[dict[str, dict[str, Any]]] = {
    name: wanted
    for name, wanted in json.loads((FOLDER / "expected.json").read_text("utf-8")).items()
    if name.endswith(SUFFIXES)
}
# The sample set has 77.2926 for the northern edge of this rotated grid. The edge is highest where it meets the grid's
# zero meridian: the grid's pole is at 37.5 N and the edge at 24.81 in the grid, so it reaches 90 - (37.5 - 24.81) N.
BETTER: Final = {"climate/rotated_pole.nc": [-89.4259, 14.0117, 70.8665, 77.31]}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_sample_holds_what_is_known_of_it(name: str) -> None:
    """Every expected fact is found: box, period, variables, reference system, dimensions."""
    wanted = dict(EXPECTED[name])
    if name in BETTER:
        wanted["bbox"] = BETTER[name]
    assert facts.mistakes(describe(FOLDER / name), wanted) == []


def test_the_sample_set_is_read_in_full() -> None:
    """A file that is added to the sample set is not passed over because of its name."""
    assert len(EXPECTED) == 28
    assert all(Path(FOLDER / name).is_file() for name in EXPECTED)


def test_attributes_that_lie_are_told_to_the_provider() -> None:
    """The climate atlas claims the globe; its coordinates do not, they win, and the provider is told."""
    found = describe(FOLDER / "climate" / "sst_CMIP6_ssp245_mon_201501-210012.nc")
    assert any("claim longitudes -180 to 180" in note and "-180 to 121" in note for note in found.notes)
