"""Zip archives from strangers: looked through before anything is taken out, and nothing is written to disk.

Runs in the child. An archive that holds a shapefile or a SAFE product is described as that.
"""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from connector.errors import InvalidInput
from connector.formats import registry
from connector.formats.containers.members import opened
from connector.formats.description import Facts, Limits
from connector.formats.imagery import safe
from connector.formats.tabular import shapefile

CONTENT: Final[tuple[tuple[str, Callable[[zipfile.ZipFile, Limits], Facts]], ...]] = (
    *((name, safe.read_zip) for name in safe.MANIFESTS),
    (".shp", shapefile.read_zip),
)


def read(path: Path, limits: Limits) -> Facts:
    """Describe what the archive at `path` holds.

    Raises:
        InvalidInput: it is damaged or cut off, a member would lie outside of it, or it holds nothing that we read.
        TooLarge: it holds more members or bytes than allowed.
    """
    with opened(path) as archive:
        for suffix, reader in CONTENT:
            if any(name.lower().endswith(suffix) for name in archive.namelist()):
                try:
                    return reader(archive, limits)
                except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
                    raise InvalidInput("A member of the zip archive is damaged.") from error
        # A Zarr store is known by its first members, unless chunks fill all that was looked at.
        if any(name.rpartition("/")[2] in registry.ZARR_MARKERS for name in archive.namelist()):
            store = registry.by_name("zarr")
            return msgspec.structs.replace(store.describe(path, limits), media_type=store.media_type)
    raise InvalidInput(
        "The zip archive holds no shapefile, SAFE product or other dataset that we read as one.",
        fix="Unpack it and describe its files.",
    )
