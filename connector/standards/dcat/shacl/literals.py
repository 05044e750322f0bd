"""Literals as pySHACL sees them: which are well typed, and which comes before which.

pySHACL asks rdflib, whose reading of the datatypes differs from XML Schema here and there (no year before 1, a year is
never checked). Forms that every reader takes are recognised by a pattern; all others are shown to rdflib itself, so
that the fast check and the arbiter never differ.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pyoxigraph import Literal

from connector.standards.rdf import full

if TYPE_CHECKING:
    import rdflib

_XSD: Final = full("xsd:")
_KEPT: Final = 8_000  # literals that are remembered; a record has a few dozen
_DAY: Final = r"(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])"
_CLOCK: Final = r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_PLAIN_FORMS: Final = {
    f"{_XSD}{name}": re.compile(pattern, re.ASCII)
    for name, pattern in {
        "boolean": r"true|false|1|0",
        "date": _DAY,
        "dateTime": rf"{_DAY}{_CLOCK}(?:\.\d{{1,6}})?Z?",
        "decimal": r"[+-]?\d{1,18}(?:\.\d{1,18})?",
        "double": r"[+-]?\d{1,9}\.\d{1,9}",
        "duration": r"P[1-9]\d{0,3}[YMD]|PT[1-9]\d{0,3}[HMS]",
        "gYear": r"(?!0000)\d{4}",
        "gYearMonth": r"(?!0000)\d{4}-(?:0[1-9]|1[0-2])",
        "hexBinary": r"(?:[0-9A-Fa-f]{2}){1,128}",
        "integer": r"[+-]?\d{1,18}",
        "nonNegativeInteger": r"\d{1,18}",
        "positiveInteger": r"0{0,9}[1-9]\d{0,9}",
    }.items()
}
_NUMBERS: Final = frozenset(f"{_XSD}{name}" for name in ("decimal", "integer", "nonNegativeInteger", "positiveInteger"))
_SORTABLE: Final = {
    full("xsd:date"): re.compile(_DAY, re.ASCII),
    full("xsd:dateTime"): re.compile(rf"{_DAY}{_CLOCK}Z", re.ASCII),
}
_STRING: Final = full("xsd:string")
_TAGGED: Final = full("rdf:langString")
_ANY: Final = full("rdfs:Literal")
_ANY_TYPED: Final = full("rdfs:Datatype")


def has_datatype(literal: Literal, datatype: str) -> bool:
    """Return whether the literal is one of the datatype, as sh:datatype asks (SHACL §4.1.2) and pySHACL answers."""
    own = literal.datatype.value
    if own != datatype:
        return datatype == _ANY or (datatype == _ANY_TYPED and own not in {_STRING, _TAGGED})
    return datatype in {_STRING, _TAGGED} or _well_typed(literal.value, datatype)


@lru_cache(maxsize=_KEPT)
def _well_typed(text: str, datatype: str) -> bool:
    if not datatype.startswith((_XSD, full("rdf:"))):
        return True  # rdflib knows the types of these two namespaces and takes all others as they are
    form = _PLAIN_FORMS.get(datatype)
    return bool(form and form.fullmatch(text)) or _by_rdflib(text, datatype)


def _by_rdflib(text: str, datatype: str) -> bool:
    """Return what pySHACL's test for a datatype comes to."""
    import datetime as dt  # noqa: PLC0415 - with rdflib

    import rdflib  # noqa: PLC0415 - slow to import, and few literals need it

    rdflib.term.logger.disabled = True  # it prints a traceback for each ill-typed literal
    literal = rdflib.Literal(text, datatype=rdflib.URIRef(datatype), normalize=False)
    if literal.ill_typed:
        return False
    wanted = {
        "integer": int,
        "float": float,
        "decimal": Decimal,
        "boolean": bool,
        "date": dt.date,
        "time": dt.time,
        "dateTime": dt.datetime,
    }.get(datatype.removeprefix(_XSD))
    return wanted is None or isinstance(literal.value, wanted)


@lru_cache(maxsize=_KEPT)
def order(one: Literal, other: Literal) -> int | None:
    """Return -1, 0 or 1 as `one` lies before, at or after `other`; None where they cannot be compared."""
    kind, kind2 = one.datatype.value, other.datatype.value
    if kind in _NUMBERS and kind2 in _NUMBERS and _plain(one.value, kind) and _plain(other.value, kind2):
        number, number2 = Decimal(one.value), Decimal(other.value)
        return (number > number2) - (number < number2)
    form = _SORTABLE.get(kind) if kind == kind2 else None
    if form and form.fullmatch(one.value) and form.fullmatch(other.value):
        return (one.value > other.value) - (one.value < other.value)
    return _order_by_rdflib(_rdflib(one), _rdflib(other))


def _plain(text: str, datatype: str) -> bool:
    return bool(_PLAIN_FORMS[datatype].fullmatch(text))


def _order_by_rdflib(one: "rdflib.Literal", other: "rdflib.Literal") -> int | None:
    if isinstance(one.value, str) != isinstance(other.value, str):
        return None
    import datetime as dt  # noqa: PLC0415 - with rdflib

    try:
        equal = one.eq(other)
        by_value = type(one.value) in {dt.datetime, dt.time}  # rdflib would order what has no order
        after = not equal and bool(one.value > other.value if by_value else one > other)
        found = 0 if equal or (by_value and one.value == other.value) else 1 if after else -1
    except TypeError:
        return None
    return found


@lru_cache(maxsize=_KEPT)
def before(one: Literal, other: Literal, *, equal: bool) -> bool:
    """Return whether `one` is less than `other` (or equal to it), as sh:lessThan and its kin ask."""
    kind, kind2 = one.datatype.value, other.datatype.value
    form = _SORTABLE.get(kind) if kind == kind2 else None
    if form and form.fullmatch(one.value) and form.fullmatch(other.value):
        return one.value < other.value or (equal and one.value == other.value)
    left, right = _rdflib(one), _rdflib(other)
    texts = [each.value for each in (left, right) if isinstance(each.value, str)]
    if len(texts) == 1:
        return False
    try:
        if texts:
            return texts[0] <= texts[1] if equal else texts[0] < texts[1]
        return bool(left <= right if equal else left < right)
    except TypeError:
        return False


def is_text(literal: Literal) -> bool:
    """Return whether the value of the literal is its text."""
    return literal.datatype.value in {_STRING, _TAGGED} or isinstance(_rdflib(literal).value, str)


def _rdflib(literal: Literal) -> "rdflib.Literal":
    """Return the literal as `rdf.to_rdflib` makes it."""
    import rdflib  # noqa: PLC0415 - slow to import, and few literals need it

    rdflib.term.logger.disabled = True
    if literal.language is not None:
        return rdflib.Literal(literal.value, lang=literal.language)
    kind = literal.datatype.value
    return rdflib.Literal(literal.value, datatype=None if kind == _STRING else rdflib.URIRef(kind), normalize=False)
