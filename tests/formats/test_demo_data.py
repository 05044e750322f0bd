"""The files that ship with the demo: what is said of them, and what the readers find in them."""

import hashlib
import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest

from connector import library
from connector.formats import describe
from tests.formats import facts

FOLDER: Final = Path(str(files("connector") / "demo" / "data"))
ENTRIES: Final[list[dict[str, str]]] = tomllib.loads((FOLDER / "manifest.toml").read_text("utf-8"))["file"]
EXPECTED: Final[dict[str, dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "data" / "expected.json").read_text("utf-8")
)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_a_demo_file_holds_what_is_known_of_it(entry: dict[str, str]) -> None:
    """Every fact that a second program found in the file is found by our reader, and its format is the stated one."""
    found = describe(FOLDER / entry["file"])
    assert found.reader == entry["format"]
    assert facts.mistakes(found, EXPECTED[entry["file"]]) == []


def test_every_demo_file_is_listed_and_unchanged() -> None:
    """Nothing ships without a licence and an origin, and nothing listed is missing or altered."""
    listed = {entry["file"]: entry for entry in ENTRIES}
    assert set(listed) == {path.name for path in FOLDER.iterdir()} - {"manifest.toml", ".gitattributes"}
    assert set(listed) == set(EXPECTED)
    for name, entry in listed.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == entry["sha256"]
        assert all(entry[field].strip() for field in ("title", "origin", "licence_text", "attribution"))


def test_licences_of_the_demo_are_terms_of_the_eu_table() -> None:
    """A licence IRI in the manifest exists in the shipped licence table."""
    table = library.read("vocab", "licence.ttl").decode()
    codes = {entry["licence"].rpartition("/")[2] for entry in ENTRIES if "licence" in entry}
    assert codes
    assert [code for code in codes if f"\nc:{code} a skos:Concept" not in table] == []


def test_the_demo_has_data_of_all_four_kinds() -> None:
    """Weather service, EO archive, climate centre and statistics office each have something to offer."""
    assert {entry["kind"] for entry in ENTRIES} == {"meteo", "eo", "climate", "stat"}
    assert sum((FOLDER / entry["file"]).stat().st_size for entry in ENTRIES) < 4_000_000
