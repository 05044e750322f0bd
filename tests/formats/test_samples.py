"""Every file of the sample set beside the checkout, against the facts found by other programs."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from connector.formats import describe
from tests.conftest import references
from tests.formats import facts

FOLDER: Final = references() / "data"
EXPECTED: Final[dict[str, dict[str, Any]]] = json.loads((FOLDER / "expected.json").read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_sample_holds_what_is_known_of_it(name: str) -> None:
    """Every expected fact is found: box, period, variables, reference system, dimensions."""
    assert facts.mistakes(describe(FOLDER / name), EXPECTED[name]) == []


def test_the_sample_set_is_read_in_full() -> None:
    """A file that is added to the sample set is not passed over because of its name."""
    assert len(EXPECTED) == 44
    assert all(Path(FOLDER / name).exists() for name in EXPECTED)


def test_attributes_that_lie_are_told_to_the_provider() -> None:
    """The climate atlas claims the globe; its coordinates do not, they win, and the provider is told."""
    found = describe(FOLDER / "climate" / "sst_CMIP6_ssp245_mon_201501-210012.nc")
    assert any("claim longitudes -180 to 180" in note and "-180 to 121" in note for note in found.notes)
    found = describe(FOLDER / "climate" / "mur_analysed_sst.zarr")
    assert any("claim longitudes -180 to 180" in note and "-28.005 to -26.995" in note for note in found.notes)
    assert any("claim the period 2020-01-15" in note for note in found.notes)
