"""Catalogue documents, satellite products, rasters and statistics compressed with gzip: the same facts."""

import gzip
import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from connector.formats import Description, describe
from tests.formats import hostile, safe_products, sdmx_messages
from tests.formats.test_stac import COLLECTION, ITEM

TEXTS: Final[dict[str, str]] = {
    "a.xml": sdmx_messages.specific_21(),
    "b.csv": sdmx_messages.csv_20(),
    "c.json": sdmx_messages.json_10(),
    "d.json": json.dumps(ITEM),
    "e.json": json.dumps(COLLECTION),
}


def facts(found: Description) -> dict[str, Any]:
    """Return what does not depend on the file itself."""
    return {
        name: value
        for name, value in msgspec.to_builtins(found).items()
        if name not in {"byte_size", "notes", "compressed", "media_type", "file_type"}
    }


@pytest.mark.parametrize("name", [*TEXTS, "f.zip", "g.tif"])
def test_a_compressed_file_has_the_facts_of_the_file(name: str, tmp_path: Path) -> None:
    """Whatever is inside, what is said of it is the same, and a sentence says that it is compressed."""
    plain = tmp_path / name
    if name in TEXTS:
        plain.write_text(TEXTS[name])
    elif name == "f.zip":
        safe_products.zipped(plain, safe_products.sentinel1())
    else:
        hostile.geotiff(plain)
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    whole, compressed = describe(plain), describe(packed)
    assert facts(whole) == facts(compressed)
    assert any("compressed with gzip" in note for note in compressed.notes)
