"""The registers that ship in `vocab/` as tables: CF names, WMO parameters, SDMX codes, countries' boxes, file types.

Each is read when it is first asked for, and kept. What a register does not say stays None.
"""

import csv
import gzip
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from io import StringIO
from typing import Final

from msgspec import Struct

from connector import library
from connector.standards.dcat.geometry import Box

_NEAR: Final = 0.75
_FILE_TYPES: Final = "http://publications.europa.eu/resource/authority/file-type/"


class StandardName(Struct, frozen=True):
    """A name of the CF standard name table.

    Attributes:
        name: such as air_temperature.
        unit: its canonical unit, such as K; `1` for a ratio, None where the table gives none.
        description: the beginning of what the table says of it.
    """

    name: str
    unit: str | None
    description: str


class Parameter(Struct, frozen=True):
    """A parameter of WMO's GRIB as ecCodes knows it.

    Attributes:
        id: the paramId.
        short_name: such as 2t.
        name: in words.
        unit: as ecCodes writes it, such as m s**-1.
        grib2: discipline, category and number of GRIB 2, where it has them.
        standard_name: the CF name that ecCodes gives, brought to the current table; None where it gives none.
    """

    id: int
    short_name: str
    name: str
    unit: str
    grib2: tuple[int, int, int] | None
    standard_name: str | None


class Country(Struct, frozen=True):
    """A country's codes and boxes (west, south, east, north in degrees; west > east across the 180th meridian).

    Attributes:
        alpha3: ISO 3166 code in three letters, which the EU table of countries uses.
        alpha2: in two letters.
        nuts: code of NUTS level 0, which differs for Greece (EL).
        name: in English.
        box: around the whole state.
        europe: around the part that lies in Europe, for countries of NUTS.
    """

    alpha3: str
    alpha2: str | None
    nuts: str | None
    name: str
    box: Box
    europe: Box | None


class Code(Struct, frozen=True):
    """A code of a global SDMX code list, and what it means in English."""

    list: str
    version: str
    id: str
    name: str
    description: str

    @property
    def urn(self) -> str:
        """The name of the code in the SDMX registry."""
        return f"urn:sdmx:org.sdmx.infomodel.codelist.Code=SDMX:{self.list}({self.version}).{self.id}"


@cache
def standard_names() -> Mapping[str, StandardName]:
    """Return the CF standard name table, version 93, by name."""
    return {
        row["name"]: StandardName(row["name"], row["canonical_units"] or None, row["description"])
        for row in _rows("cf-standard-names.tsv.gz")
    }


@cache
def _aliases() -> Mapping[str, str]:
    return {row["alias"]: row["name"] for row in _rows("cf-standard-name-aliases.tsv")}


def standard_name(name: str) -> StandardName | None:
    """Return the entry of the CF table for `name` or for the name that has taken its place; None when there is none."""
    return standard_names().get(_aliases().get(name, name))


def nearest_standard_names(word: str, count: int = 3) -> list[str]:
    """Return up to `count` names of the CF table that are like `word`, the most like first."""
    wanted = "_".join(word[:100].casefold().split())
    return get_close_matches(wanted, standard_names(), n=count, cutoff=_NEAR) if wanted else []


@cache
def parameters() -> Mapping[int, Parameter]:
    """Return the WMO parameters that ecCodes knows by a name, by paramId."""
    return {
        int(row["paramId"]): Parameter(
            id=int(row["paramId"]),
            short_name=row["shortName"],
            name=row["name"],
            unit=row["units"],
            grib2=_triple(row["grib2_discipline.category.number"]),
            standard_name=_aliases().get(row["cfName"], row["cfName"]) or None,
        )
        for row in _rows("eccodes-parameters.tsv")
    }


def _triple(text: str) -> tuple[int, int, int] | None:
    parts = text.split(".")
    return (int(parts[0]), int(parts[1]), int(parts[2])) if len(parts) == 3 else None  # noqa: PLR2004 - as named


@cache
def _by_short_name() -> Mapping[str, Parameter]:
    found: dict[str, Parameter] = {}
    for parameter in parameters().values():
        found.setdefault(parameter.short_name, parameter)
    return found


def parameter(key: int | str) -> Parameter | None:
    """Return the parameter with this paramId or this short name (case counts)."""
    return parameters().get(key) if isinstance(key, int) else _by_short_name().get(key)


@cache
def _countries() -> Mapping[str, Country]:
    found: dict[str, Country] = {}
    for row in _rows("country-boxes.tsv"):
        box, europe = _box(row, ""), _box(row, "eur_")
        if box is not None:
            country = Country(row["alpha3"], row["alpha2"] or None, row["nuts0"] or None, row["name"], box, europe)
            for code in (country.nuts, country.alpha2, country.alpha3):
                if code is not None:
                    found[code] = country
    return found


def _box(row: Mapping[str, str], prefix: str) -> Box | None:
    sides = [row[prefix + side] for side in ("west", "south", "east", "north")]
    return (float(sides[0]), float(sides[1]), float(sides[2]), float(sides[3])) if all(sides) else None


def country(code: str) -> Country | None:
    """Return the country with this code in two or three letters, or of NUTS."""
    return _countries().get(code.strip().upper())


@cache
def code_lists() -> Mapping[str, Mapping[str, Code]]:
    """Return the global SDMX code lists that ship (CL_FREQ, CL_OBS_STATUS …): their codes by id."""
    found: dict[str, dict[str, Code]] = {}
    for row in _rows("sdmx-codes.tsv"):
        code = Code(row["codelist"], row["version"], row["id"], row["name_en"], row["description_en"])
        found.setdefault(code.list, {})[code.id] = code
    return found


@cache
def _file_types() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the EU file types by media type and by extension; the first of several in the table wins."""
    by_media_type: dict[str, str] = {}
    by_extension: dict[str, str] = {}
    for row in _rows("file-type-media-types.tsv"):
        for media_type in filter(None, row["media_type"].split("|")):
            by_media_type.setdefault(media_type, row["file_type"])
        for extension in filter(None, row["extension"].split("|")):
            by_extension.setdefault(extension, row["file_type"])
    return by_media_type, by_extension


def file_type(media_type: str | None = None, *, extension: str | None = None) -> str | None:
    """Return the IRI of the EU file type for a media type, or else for an extension with its dot."""
    by_media_type, by_extension = _file_types()
    plain = (media_type or "").partition(";")[0].strip().lower()
    code = by_media_type.get(plain) or by_extension.get((extension or "").lower())
    return _FILE_TYPES + code if code else None


@cache
def _extensions() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for row in _rows("media-type-extensions.tsv"):
        for extension in row["extensions"].split():
            found.setdefault(f".{extension}", row["media_type"])
    return found


def media_type(extension: str) -> str | None:
    """Return the media type that files with this extension (with its dot) usually have."""
    return _extensions().get(extension.lower())


def _rows(file: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table, by column."""
    data = library.read("vocab", file)
    text = (gzip.decompress(data) if file.endswith(".gz") else data).decode()
    yield from csv.DictReader(StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
