"""What all crosswalks share: a document that knows what of it was read, and the words of others in our vocabularies."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from connector.errors import InvalidInput
from connector.standards.dcat import model, registers
from connector.standards.dcat.licences import licence
from connector.standards.dcat.vocabulary import Term, vocabulary
from connector.standards.rdf import full

T = TypeVar("T")

EPSG: Final = "http://www.opengis.net/def/crs/EPSG/0/"
MEDIA_TYPES: Final = "https://www.iana.org/assignments/media-types/"
SHA256: Final = full("spdx:checksumAlgorithm_sha256")
_DEEPEST: Final = 12
_LONGEST: Final = 200


class Crossed(Struct, frozen=True, kw_only=True):
    """A record in our form, and where the document says something that the record does not."""

    record: model.Dataset
    lost: tuple[str, ...] = ()


class Written(Struct, frozen=True, kw_only=True):
    """A record in another form, as JSON, and the fields of the record that this form has no place for."""

    document: dict[str, Any]
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a crosswalk, for people: their term, ours (None where there is none), and what is lost on the way."""

    theirs: str
    ours: str | None
    note: str = ""


class Said:
    """An object of a JSON document that knows which of its members were read.

    Reading a member that is not there, or not of the kind asked for, gives nothing; such a member counts as unread.
    """

    def __init__(self, document: Mapping[str, Any], place: str = "") -> None:
        self.document = document
        self.place = place
        self._taken: set[str] = set()
        self._below: dict[str, Said] = {}

    def take(self, key: str, kind: type[T]) -> T | None:
        """Return a member of this kind; a bool is no number."""
        value = self.document.get(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            return None
        self._taken.add(key)
        return value

    def text(self, key: str) -> str | None:
        """Return a text that is not empty, without the space around it."""
        value = self.take(key, str)
        return (value.strip() or None) if value is not None else None

    def address(self, key: str) -> str | None:
        """Return an absolute IRI; anything else counts as unread."""
        value = self.document.get(key)
        if not isinstance(value, str) or iri(value) is None:
            return None
        self._taken.add(key)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the texts of a list, or the one text that stands in its place."""
        value = self.document.get(key)
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            return ()
        self._taken.add(key)
        return tuple(each.strip() for each in value if each.strip())

    def number(self, key: str) -> float | None:
        """Return a number."""
        value = self.document.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        self._taken.add(key)
        return float(value)

    def inner(self, key: str) -> "Said":
        """Return the object under a key, an empty one where there is none."""
        value = self.document.get(key)
        if not isinstance(value, Mapping):
            return Said({}, self._at(key))
        return self._opened(key, value, self._at(key))

    def each(self, key: str) -> "list[Said]":
        """Return the objects of a list."""
        value = self.document.get(key)
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            return []
        return [self._opened(key, one, f"{self._at(key)}[{number}]") for number, one in enumerate(value)]

    def named(self, key: str) -> "dict[str, Said]":
        """Return the objects in an object, by their names."""
        value = self.document.get(key)
        if not isinstance(value, Mapping) or not all(isinstance(one, Mapping) for one in value.values()):
            return {}
        return {name: self._opened(key, one, f"{self._at(key)}.{name}") for name, one in value.items()}

    def ignore(self, *keys: str) -> None:
        """Count members as read that say nothing about the data."""
        self._taken.update(keys)

    def left(self) -> Iterator[str]:
        """Yield the places of all members that nobody read and that hold something."""
        for key, value in self.document.items():
            if key not in self._taken and value not in (None, "", [], {}):
                yield self._at(key)
        for below in self._below.values():
            yield from below.left()

    def _opened(self, key: str, value: Mapping[str, Any], place: str) -> "Said":
        self._taken.add(key)
        if place.count(".") + place.count("[") > _DEEPEST:
            raise InvalidInput("The document is nested too deeply.", where=place[:_LONGEST])
        return self._below.setdefault(place, Said(value, place))

    def _at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key


def slug(text: str) -> str:
    """Return `text` as the last part of a readable address: ASCII letters, digits, dots and hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9.]+", "-", plain).strip("-.")[:100].strip("-.") or "dataset"


def fits(value: Any, kind: Any) -> bool:
    """Say whether a value has the form that a field of the model demands."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def says(record: model.Dataset, field: str) -> bool:
    """Say whether a field of a record holds more than it does in a record of nothing."""
    return bool(getattr(record, field) != getattr(model.Dataset(id=record.id), field))


def iri(value: str | None) -> str | None:
    """Return an absolute IRI, or nothing."""
    return value if value is not None and fits(value, model.Iri) else None


def iris(values: Iterable[str | None]) -> tuple[str, ...]:
    """Return those that are absolute IRIs."""
    return tuple(each for each in values if each is not None and iri(each))


def email(value: str | None) -> str | None:
    """Return an e-mail address, without `mailto:`, or nothing."""
    bare = (value or "").strip().removeprefix("mailto:")
    return bare if fits(bare, model.Email) else None


def texts(value: str | None, language: str) -> dict[str, str]:
    """Return a text in its language, nothing for none."""
    return {language: value} if value else {}


def moment(value: str | None) -> str | None:
    """Return a date or a moment as a record has it; what is no day of the calendar is nothing."""
    if value is None or not fits(value, model.Time):
        return None
    day, clock, _ = value.partition("T")
    try:
        if clock:
            datetime.fromisoformat(value)
        elif day.count("-") == 2:  # noqa: PLR2004 - year, month, day
            date.fromisoformat(day)
    except ValueError:
        return None
    return value


def epsg(code: object) -> str | None:
    """Return the IRI of a reference system from `32631`, `EPSG:32631` or an IRI of the OGC register."""
    text = str(code).strip()
    if text.startswith("http://www.opengis.net/def/crs/"):
        return text
    found = re.fullmatch(r"(?:EPSG:|urn:ogc:def:crs:EPSG:[\d.]*:)?(\d{4,6})", text, re.IGNORECASE)
    return EPSG + found[1] if found else None


def epsg_code(system: str) -> str | None:
    """Return `EPSG:32631` of an IRI of the OGC register."""
    code = system.removeprefix(EPSG)
    return f"EPSG:{code}" if code != system and code.isdigit() else None


# --- vocabularies -----------------------------------------------------------------------------------------------------


def by_code(name: str, code: str) -> str | None:
    """Return the IRI of the term in use with this code or label in a shipped vocabulary."""
    found = vocabulary(name).find(code)
    return found.iri if found and not found.deprecated else None


def code_of(name: str, term: str) -> str | None:
    """Return the code of a term of a shipped vocabulary."""
    found = vocabulary(name).terms.get(term)
    return found.code if found else None


def licence_of(name: str) -> str | None:
    """Return the EU licence IRI for an SPDX id, a name, or the address of a known licence."""
    return licence(re.sub(r"^https?://spdx\.org/licenses/|\.html$", "", name))


def spdx_of(licence: str) -> str | None:
    """Return the SPDX id of a Creative Commons licence of the EU table."""
    code = code_of("licence", licence) or ""
    if code == "CC0":
        return "CC0-1.0"
    found = re.fullmatch(r"CC_BY(NC)?(ND|SA)?_(\d)_(\d)", code)
    if not found:
        return None
    parts = ["CC", "BY", *(each for each in found.groups()[:2] if each)]
    return "-".join(parts) + f"-{found[3]}.{found[4]}"


_FORMATS: Final[Mapping[str, str]] = {
    "application/geo+json": "GEOJSON",
    "application/geopackage+sqlite3": "GPKG",
    "application/gml+xml": "GML",
    "application/json": "JSON",
    "application/netcdf": "NETCDF",
    "application/pdf": "PDF",
    "application/x-hdf5": "HDF",
    "application/x-hdf": "HDF",
    "application/x-netcdf": "NETCDF",
    "application/xml": "XML",
    "application/zip": "ZIP",
    "image/jp2": "JPEG2000",
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/tiff": "TIFF",
    "text/csv": "CSV",
    "text/html": "HTML",
    "text/plain": "TXT",
    "text/tab-separated-values": "TSV",
    "text/xml": "XML",
}
"""Media types and the code of the EU file type that is the same thing."""


def file_type(name: str) -> str | None:
    """Return the EU file type of a media type (with parameters or not) or of a format as people call it."""
    if "/" in name:
        bare, _, parameters = name.lower().partition(";")
        code = "GEOTIFF" if "geotiff" in parameters else _FORMATS.get(bare.strip(), "")
        if not code:
            return registers.file_type(bare)
    else:
        code = re.sub(r"[^a-z0-9]", "", name.lower())
        code = {"shapefile": "SHP", "esrishapefile": "SHP", "geopackage": "GPKG", "excel": "XLS", "hdf5": "HDF"}.get(
            code, code
        )
    return by_code("file-type", code) if code else None


def media_type(name: str | None) -> str | None:
    """Return the IRI of a media type, without its parameters."""
    bare = (name or "").partition(";")[0].strip().lower()
    return MEDIA_TYPES + bare if re.fullmatch(r"[a-z]+/[a-z0-9.+\-]+", bare) else None


def bare_media_type(term: str | None) -> str | None:
    """Return `text/csv` of the IRI of a media type."""
    return term.removeprefix(MEDIA_TYPES) if term and term.startswith(MEDIA_TYPES) else None


_LANGUAGES: Final[Mapping[str, str]] = {
    "bg": "BUL",
    "cs": "CES",
    "da": "DAN",
    "de": "DEU",
    "el": "ELL",
    "en": "ENG",
    "es": "SPA",
    "et": "EST",
    "fi": "FIN",
    "fr": "FRA",
    "ga": "GLE",
    "hr": "HRV",
    "hu": "HUN",
    "it": "ITA",
    "lt": "LIT",
    "lv": "LAV",
    "mt": "MLT",
    "nl": "NLD",
    "no": "NOR",
    "pl": "POL",
    "pt": "POR",
    "ro": "RON",
    "sk": "SLK",
    "sl": "SLV",
    "sv": "SWE",
}
"""Two-letter codes of ISO 639-1 and the three-letter ones that the EU table has for the same languages."""
_BIBLIOGRAPHIC: Final = {
    "GER": "DEU",
    "FRE": "FRA",
    "DUT": "NLD",
    "CZE": "CES",
    "GRE": "ELL",
    "RUM": "RON",
    "SLO": "SLK",
}


def language_of(code: str) -> str | None:
    """Return the EU language IRI of `en`, `en-GB`, `eng` or `ger`."""
    short = code.strip().partition("-")[0].partition("_")[0]
    long = _LANGUAGES.get(short.lower(), short.upper())
    return by_code("language", _BIBLIOGRAPHIC.get(long, long))


def language_tag(term: str) -> str | None:
    """Return the two-letter tag of an EU language IRI."""
    code = term.rpartition("/")[2]
    return next((tag for tag, long in _LANGUAGES.items() if long == code), None)


def terms(name: str) -> Iterable[Term]:
    """Return the terms in use of a shipped vocabulary."""
    return (term for term in vocabulary(name).terms.values() if not term.deprecated)
