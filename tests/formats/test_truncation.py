"""Files that end too soon or are changed inside: a refusal, or facts that are still those of the whole file."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest

from connector.errors import InvalidInput, Refusal
from connector.formats import Description, Limits, describe
from tests.conftest import REFERENCES

DEMO: Final = Path(__file__).resolve().parents[2] / "connector" / "demo" / "data"
KINDS: Final = (".nc", ".grib", ".grib2", ".bufr")
FOLDERS: Final = (DEMO, REFERENCES / "data" / "climate", REFERENCES / "data" / "meteo")
FILES: Final = sorted(
    {each for folder in FOLDERS if folder.is_dir() for each in folder.iterdir() if each.suffix in KINDS}
)
STORES: Final = sorted((REFERENCES / "data" / "climate").glob("*.zarr"))
LIMITS: Final = Limits(cpu_seconds=15)
CUTS: Final = 10


def cuts(size: int, name: str) -> Iterator[int]:
    """Yield ten places in a file of `size` bytes, the same ones for the same name."""
    random = np.random.default_rng(sum(name.encode()))
    yield from (int(at) for at in random.integers(1, size, CUTS - 2))
    yield from (4, size - 1)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_that_is_cut_off_is_refused(path: Path, tmp_path: Path) -> None:
    """Cut at ten places, no file is described as if it were whole, but where nothing is lost; nothing is left."""
    whole = path.read_bytes()
    cut = tmp_path / f"cut{path.suffix}"
    sound = describe(path, limits=LIMITS)
    for at in cuts(len(whole), path.name):
        cut.write_bytes(whole[:at])
        try:
            found = describe(cut, limits=LIMITS)
        except InvalidInput as no:
            words = ("cut off", "damaged", "ends within", "broken", "no BUFR message")
            assert any(word in no.message for word in words), no.message  # noqa: PT017 - both outcomes are allowed
        else:
            # Padding and the ends of bulletins belong to no message; between messages a head without one is told.
            told = any("truncated" in note for note in found.notes)
            assert told or msgspec.structs.replace(found, byte_size=len(whole)) == sound
    assert list(tmp_path.iterdir()) == [cut]


@pytest.mark.skipif(not STORES, reason="The references do not lie beside the checkout.")
@pytest.mark.parametrize("path", STORES or [Path()], ids=lambda path: path.name)
def test_a_store_with_a_file_that_is_cut_off_is_refused(path: Path, tmp_path: Path) -> None:
    """Whichever file of a small store is cut, the metadata or a chunk: it is noticed."""
    store = tmp_path / "x.zarr"
    shutil.copytree(path, store)
    for folder in (store, *store.rglob("*")):
        folder.chmod(0o700 if folder.is_dir() else 0o600)
    for file in sorted(each for each in store.rglob("*") if each.is_file()):
        if file.name == "zarr.json" and file.parent != store:
            continue  # the consolidated metadata at the top stand for these
        whole = file.read_bytes()
        for at in (0, len(whole) // 3, len(whole) - 1):
            file.write_bytes(whole[:at])
            if at == len(whole) - 1 and whole.endswith(b"\n"):
                continue  # the end of a line is no part of a JSON text
            with pytest.raises(InvalidInput, match=r"damaged|cut off"):
                describe(store, limits=LIMITS)
        file.write_bytes(whole)
    assert describe(store, limits=LIMITS).bbox == describe(path).bbox


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_that_is_changed_inside_harms_nobody(path: Path, tmp_path: Path) -> None:
    """Threat: bytes changed at random places. The child may fall; the caller has a refusal or a description."""
    whole = path.read_bytes()
    random = np.random.default_rng(sum(path.name.encode()) + 1)
    changed = tmp_path / f"changed{path.suffix}"
    for _ in range(4):
        raw = bytearray(whole)
        for at in random.integers(4, min(len(raw), 20_000), 8):
            raw[at] = int(random.integers(0, 256))
        changed.write_bytes(raw)
        try:
            found = describe(changed, limits=LIMITS)
        except Refusal:
            continue
        assert isinstance(found, Description)
    assert list(tmp_path.iterdir()) == [changed]
