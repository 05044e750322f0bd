"""What is open: licences, formats and access rights, by the tables that ship in `vocab/`.

A licence is known by its term of the EU table or by the address of its own text; what the tables do not name is
neither open nor closed here, but unknown.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Final

import msgspec
from msgspec import Struct

from connector import library
from connector.standards.dcat.vocabulary import vocabulary
from connector.standards.rdf import full

LICENCES: Final = "http://publications.europa.eu/resource/authority/licence/"
FORMATS: Final = "http://publications.europa.eu/resource/authority/file-type/"
ACCESS: Final = "http://publications.europa.eu/resource/authority/access-right/"
PUBLIC: Final = frozenset(
    {ACCESS + "PUBLIC", "http://inspire.ec.europa.eu/metadata-codelist/LimitationsOnPublicAccess/noLimitations"}
)
"""Values of dct:accessRights that let everyone in."""

HIGH_VALUE: Final = "http://data.europa.eu/eli/reg_impl/2023/138/oj"
"""Implementing Regulation (EU) 2023/138 on high-value datasets."""

_MEDIA_TYPE: Final = re.compile(
    r"https?://www\.iana\.org/assignments/media-types/"
    r"((?:application|audio|font|example|haptics|image|message|model|multipart|text|video)/[A-Za-z0-9!#$&^_.+-]{1,127})"
)
_SCHEME: Final = re.compile(r"^https?://(?:www\.)?")
_STATES: Final = (full("skos:exactMatch"), full("skos:narrowMatch"))


class Licence(Struct, frozen=True, forbid_unknown_fields=True):
    """What a group of licences leaves free, see `vocab/licence-openness.toml`."""

    open: bool
    high_value: bool
    codes: tuple[str, ...]
    reason: str
    also: tuple[str, ...] = ()


class _Portal(Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    non_proprietary: frozenset[str]
    machine_readable: frozenset[str]


class _Added(Struct, frozen=True, forbid_unknown_fields=True):
    codes: tuple[str, ...]
    media_types: tuple[str, ...]
    reason: str


class _Formats(Struct, frozen=True, forbid_unknown_fields=True):
    portal: _Portal
    added: tuple[_Added, ...]


def licence(iri: str) -> Licence | None:
    """Return what is known of the licence `iri`, or None."""
    by_iri, by_address = _licences()
    if iri in by_iri:
        return by_iri[iri]
    address = _SCHEME.sub("", iri) + "/"
    return next((each for start, each in by_address.items() if address.startswith(start)), None)


def is_known_licence(iri: str) -> bool:
    """Say whether a licence is a term of the EU table, or one of those by another address."""
    return iri in vocabulary("licence").terms or licence(iri) is not None


def names_of_licence(iri: str, said: Mapping[str, list[str]]) -> list[str]:
    """Return a licence's IRI and those that the record says it is the same as, or covers (skos:narrowMatch).

    Args:
        iri: the licence.
        said: what the record says of it: values by property.
    """
    return [iri, *(each for property_ in _STATES for each in said.get(property_, ()))]


def is_from_list(iri: str) -> bool:
    """Say whether a format is a term of the EU table of file types, or a media type of the IANA register."""
    return iri in vocabulary("file-type").terms or _MEDIA_TYPE.fullmatch(iri) is not None


def is_non_proprietary(iri: str) -> bool:
    """Say whether a format or media type is of a public specification."""
    return _key(iri) in _formats()[0]


def is_machine_readable(iri: str) -> bool:
    """Say whether a format or media type is made for programs."""
    return _key(iri) in _formats()[1]


def is_access_right(iri: str) -> bool:
    """Say whether `iri` is a term of the EU table of access rights."""
    return iri in vocabulary("access-right").terms


def _key(iri: str) -> str:
    media_type = _MEDIA_TYPE.fullmatch(iri)
    return media_type[1].lower() if media_type else iri


@cache
def _licences() -> tuple[Mapping[str, Licence], Mapping[str, Licence]]:
    """Return the licences by IRI, and by the beginnings of other addresses."""
    listed = tomllib.loads(library.read("vocab", "licence-openness.toml").decode())["licence"]
    groups = msgspec.convert(listed, tuple[Licence, ...])
    return (
        {LICENCES + code: group for group in groups for code in group.codes},
        {start: group for group in groups for start in group.also},
    )


@cache
def _formats() -> tuple[frozenset[str], frozenset[str]]:
    """Return the formats that are not proprietary, and those that machines read: IRIs and media types."""
    text = library.read("vocab", "format-openness.toml").decode()
    listed = msgspec.convert(tomllib.loads(text), _Formats)
    added = {FORMATS + code for each in listed.added for code in each.codes}
    added |= {each.lower() for group in listed.added for each in group.media_types}
    return (
        frozenset({*added, *(FORMATS + code for code in listed.portal.non_proprietary)}),
        frozenset({*added, *(FORMATS + code for code in listed.portal.machine_readable)}),
    )
