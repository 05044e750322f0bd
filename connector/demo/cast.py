"""Who plays in the demo: four that share data under terms of their own, and a business that looks for it."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from connector.errors import InvalidInput

DATA: Final = Path(str(files("connector.demo") / "data"))
GERMANY: Final = "http://publications.europa.eu/resource/authority/country/DEU"


@dataclass(frozen=True, slots=True)
class Actor:
    """A participant of the demo: its name for people and its IRI."""

    name: str
    participant: str


@dataclass(frozen=True, slots=True)
class Provider(Actor):
    """A participant that shares one file: what kind it is, how it is opened, and under which template it is offered.

    `profile` is what its record is held to: that of the Green Deal, unless the file and its source leave open what that
    profile asks for, which nobody may make up.
    """

    file: str = ""
    format: str = ""
    library: str = ""
    template: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)
    profile: str = "green-deal"

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return DATA / self.file

    @property
    def is_open(self) -> bool:
        """Whether everybody may have the data, for anything."""
        return self.template in {"open", "attribution"}

    @property
    def about(self) -> Mapping[str, str]:
        """What the manifest says about the file.

        Raises:
            InvalidInput: the file is not the one that the manifest describes.
        """
        entry = manifest()[self.file]
        if hashlib.sha256(self.path.read_bytes()).hexdigest() != entry["sha256"]:
            raise InvalidInput("The demo's data was changed.", where=str(self.path), fix="Install the package again.")
        return entry


WEATHER: Final = Provider(
    "Weather service",
    "did:web:weather.example",
    file="ecmwf_regular_latlon_surface.grib2",
    format="GRIB2",
    library="xarray",
    template="research-only",
)
ARCHIVE: Final = Provider(
    "Earth observation archive",
    "did:web:archive.example",
    file="landsat_rmnp_rgb_cog.tif",
    format="COG",
    library="rasterio",
    template="eu-only",
    profile="geodcat-ap",  # when the image was taken is not known
)
CLIMATE: Final = Provider(
    "Climate centre",
    "did:web:climate.example",
    file="ncep_air_temperature_small.nc",
    format="NetCDF",
    library="xarray",
    template="counted",
    values={"uses": 1},
)
STATISTICS: Final = Provider(
    "Statistics office",
    "did:web:statistics.example",
    file="IOWA_NETGEN_annual.sdmx1.csv",
    format="SDMX-CSV",
    library="pandas",
    template="attribution",
)
PROVIDERS: Final = (WEATHER, ARCHIVE, CLIMATE, STATISTICS)
BUSINESS: Final = Actor("Climate business", "did:web:business.example")
CAST: Final = (*PROVIDERS, BUSINESS)


@cache
def manifest() -> Mapping[str, Mapping[str, str]]:
    """Return what ships beside the code about each file, by its name."""
    listed = tomllib.loads((DATA / "manifest.toml").read_text(encoding="utf-8"))["file"]
    return {entry["file"]: entry for entry in listed}
