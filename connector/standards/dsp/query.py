"""Filters of a catalog request: the `QuerySpec` that Eclipse EDC sends with each of its requests (clause 5.1.1).

The specification leaves the language of `filter` open; this one is the only one that is met. House rules:

1. Understood or refused: a term, an operand or an operator that is not known costs the whole request, since half an
   answer looks like a whole one to another question.
2. Terms may be short (`limit`), prefixed (`edc:limit`) or full IRIs, and values may be wrapped as JSON-LD does
   (`{"@value": 50}`, an array of one).
3. A property of a record may have several values; a criterion holds when one of them fits. `!=` and `<>` are the
   opposite of `=`: no value is the given one, so that both together are the catalog.
4. The type of the right operand decides: a number is compared with the numbers of the record, what reads as a date with
   its dates, any other text with the text of every value, letter by letter and in the order of code points.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal, cast

import msgspec
from pyoxigraph import Literal as Text
from pyoxigraph import NamedNode, Triple

from connector.errors import InvalidInput, TooLarge
from connector.standards import rdf

EDC: Final = "https://w3id.org/edc/v0.0.1/ns/"
"""Namespace in which EDC has the terms of its queries."""

LIMIT: Final = 50
"""Datasets on a page when the request does not say; EDC's own default."""

MOST: Final = 10_000
"""Datasets that one answer can hold."""

CRITERIA: Final = 20
CHOICES: Final = 500
"""Values that one `in` may name."""

CHARACTERS: Final = 1_000
"""Length of one operand."""

Operator = Literal["=", "!=", "in", "like", "ilike", "contains", "<", "<=", ">", ">="]
Sort = Literal["id", "title", "issued", "modified"]
Operand = str | float

ID: Final = "id"
FORMAT: Final = "format"
PUBLISHER: Final = "publisher"

NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "id": ID,
        "name": "dct:title",
        "title": "dct:title",
        "description": "dct:description",
        "keyword": "dcat:keyword",
        "theme": "dcat:theme",
        "publisher": PUBLISHER,
        "format": FORMAT,
        "issued": "dct:issued",
        "modified": "dct:modified",
    }
)
"""Short operands and what they stand for: the id, a property of the dataset, or what `values` gathers further in."""

_SORTS: Final[Mapping[str, Sort]] = {
    ID: "id",
    "dct:title": "title",
    "dct:issued": "issued",
    "dct:modified": "modified",
}
_OPERATORS: Final[Mapping[str, Operator]] = {name: name for name in Operator.__args__} | {"<>": "!="}  # type: ignore[attr-defined]
_TERMS: Final = frozenset({"offset", "limit", "sortOrder", "sortField", "filterExpression"})
_CRITERION: Final = frozenset({"operandLeft", "operator", "operandRight"})
_PREFIXED: Final = re.compile(r"([A-Za-z][\w-]*):(?!//)(\S+)")
_ABSOLUTE: Final = re.compile(r"(?:https?://|urn:)[^\s<>\"{}|\\^`]+")
_DATE: Final = re.compile(
    r"\d{4}(?:-\d{2}(?:-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?)?)?"
)
_XSD: Final = rdf.PREFIXES["xsd"]
_DATES: Final = frozenset(_XSD + name for name in ("date", "dateTime", "dateTimeStamp", "gYear", "gYearMonth"))
_WHOLE: Final = ("integer", "long", "int", "short", "byte", "nonNegativeInteger", "positiveInteger", "unsignedInt")
_NUMBERS: Final = frozenset(_XSD + name for name in (*_WHOLE, "decimal", "double", "float", "unsignedLong"))
_FINITE: Final = 1e300


class Criterion(msgspec.Struct, frozen=True, array_like=True):
    """One condition: `operand` is the id or a property as `values` names it; `right` a list for `in` alone."""

    operand: str
    operator: Operator
    right: Operand | tuple[Operand, ...]


class Query(msgspec.Struct, frozen=True, array_like=True):
    """What is asked for: the datasets for which every criterion holds, `limit` of them from the one at `offset` on."""

    offset: int = 0
    limit: int = LIMIT
    sort: Sort = "id"
    descending: bool = False
    criteria: tuple[Criterion, ...] = ()


class Value(msgspec.Struct, frozen=True, array_like=True):
    """A value of a record: its text, and what it is as a number or as a moment (microseconds since 1970)."""

    text: str
    number: float | None = None
    moment: int | None = None


def read(given: Sequence[Any]) -> Query | None:
    """Return the query in the `filter` of a catalog request, or None when there is none.

    Raises:
        InvalidInput: anything in it is not understood; `fix` says what is.
        TooLarge: more criteria, choices or characters than are looked at.
    """
    if not given:
        return None
    if len(given) > 1:
        raise InvalidInput("The filter holds more than one query.", where="filter", fix="Send one QuerySpec.")
    terms = _terms(given[0], "filter[0]", "QuerySpec", _TERMS)
    descending = _descending(terms.get("sortOrder", "ASC"))
    return Query(
        offset=_number(terms.get("offset", 0), "offset", 0, 2**31 - 1),
        limit=_number(terms.get("limit", LIMIT), "limit", 1, 2**31 - 1),
        sort=_sort(terms["sortField"]) if "sortField" in terms else "id",
        descending=descending,
        criteria=_criteria(terms.get("filterExpression", [])),
    )


def values(record: Iterable[Triple], subject: str, formats: Sequence[str]) -> dict[str, tuple[Value, ...]]:
    """Return what a query can ask of a dataset, by property.

    Every property of the dataset itself is there under its prefixed name, or its IRI where no prefix fits. Beside them
    `id` has the dataset's IRI, `publisher` the publisher's IRI and names, and `format` the transfer types
    (`HttpData-PULL`) and the file formats and media types of the distributions.

    Args:
        record: what is said about the dataset and the things around it.
        subject: IRI of the dataset.
        formats: the transfer types it is offered in.
    """
    said: defaultdict[str, defaultdict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for triple in record:
        if isinstance(triple.subject, NamedNode):
            said[triple.subject.value][rdf.compact(triple.predicate.value)].append(triple.object)
    own = said[subject]
    found = {name: list(terms) for name, terms in own.items()}
    agents, files = _linked(own["dct:publisher"]), _linked(own["dcat:distribution"])
    found[ID] = [NamedNode(subject)]
    found[PUBLISHER] = [*own["dct:publisher"], *(name for each in agents for name in said[each]["foaf:name"])]
    about = [said[each][name] for each in files for name in ("dct:format", "dcat:mediaType")]
    found[FORMAT] = [*map(Text, formats), *(term for terms in about for term in terms)]

    return {name: tuple(dict.fromkeys(map(_value, terms))) for name, terms in found.items() if terms}


def moment(text: str) -> int | None:
    """Return a date, a month, a year or a moment as microseconds since 1970, its beginning in UTC; None for no date."""
    if not _DATE.fullmatch(text):
        return None
    whole = text + "-01-01"[len(text) - 4 :] if len(text) < len("2000-01-01") else text
    try:
        read = datetime.fromisoformat(whole)
        read = read if read.tzinfo else read.replace(tzinfo=UTC)
        gone = read - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds


def _linked(terms: Iterable[Any]) -> list[str]:
    return [term.value for term in terms if isinstance(term, NamedNode)]


def _value(term: Any) -> Value:
    text = str(term.value)
    kind = term.datatype.value if isinstance(term, Text) else ""
    if kind in _DATES:
        return Value(text, moment=moment(text))
    if kind in _NUMBERS:
        try:
            number = float(text)
        except ValueError:
            return Value(text)
        return Value(text, number=number if abs(number) < _FINITE else None)
    return Value(text)


# --- reading what was sent ------------------------------------------------------------------------------------------


def _terms(given: Any, where: str, kind: str, known: frozenset[str]) -> dict[str, Any]:
    """Return the terms of an object by their short names."""
    if not isinstance(given, dict):
        raise _refusal(f"{_shown(given)} is no {kind}.", where, f"Send an object with '@type': {kind!r}.")
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = _short(key)
        if name == "@type":
            _check_type(value, where, kind)
        elif name not in known:
            raise _refusal(f"{_shown(key)} is not known.", where, f"A {kind} has {', '.join(sorted(known))}.")
        elif name in found:
            raise _refusal(f"{name} is there twice.", where, "Spell each term in one way.")
        else:
            found[name] = value
    if kind == "QuerySpec" and "@type" not in given:
        raise _refusal(
            "It does not say what it is.", where, "Give it '@type': 'QuerySpec', the one kind of filter known here."
        )
    return found


def _check_type(value: Any, where: str, kind: str) -> None:
    names = value if isinstance(value, list) else [value]
    if [_short(name) for name in names] not in ([kind], [f"{kind}Dto"]):
        raise _refusal(f"{_shown(value)} is not known.", f"{where}.@type", f"The type is {kind!r}.")


def _criteria(given: Any) -> tuple[Criterion, ...]:
    listed = _listed(given)
    if len(listed) > CRITERIA:
        raise TooLarge(f"There are more than {CRITERIA} criteria.", where="filter[0].filterExpression")
    return tuple(_criterion(each, f"filter[0].filterExpression[{number}]") for number, each in enumerate(listed))


def _criterion(given: Any, where: str) -> Criterion:
    terms = _terms(given, where, "Criterion", _CRITERION)
    if missing := sorted(_CRITERION - terms.keys()):
        raise _refusal(f"It has no {' and no '.join(missing)}.", where, "A Criterion has all three terms.")
    operator = _one(terms["operator"])
    if not isinstance(operator, str) or (known := _OPERATORS.get(operator.lower())) is None:
        raise _refusal(
            f"The operator {_shown(operator)} is not known.", f"{where}.operator", f"Use {', '.join(_OPERATORS)}."
        )
    operand = _operand(_one(terms["operandLeft"]), f"{where}.operandLeft")
    return Criterion(operand, known, _right(known, terms["operandRight"], f"{where}.operandRight"))


def _operand(given: Any, where: str) -> str:
    """Return the id or property that a left operand names."""
    if isinstance(given, str) and len(given) <= CHARACTERS:
        if (known := NAMES.get(_short(given))) is not None:
            return known
        prefixed = _PREFIXED.fullmatch(given)
        if prefixed and prefixed[1] in rdf.PREFIXES:
            return rdf.compact(rdf.full(given))
        if _ABSOLUTE.fullmatch(given) and not given.startswith(EDC):
            return rdf.compact(given)
    prefixes = ", ".join(sorted(rdf.PREFIXES))
    raise _refusal(
        f"The operand {_shown(given)} is not known.",
        where,
        f"Use {', '.join(NAMES)}, or a property of the record as a full IRI or with one of the prefixes {prefixes}.",
    )


def _right(operator: Operator, given: Any, where: str) -> Operand | tuple[Operand, ...]:
    if operator == "in":
        listed = _listed(given)
        if len(listed) > CHOICES:
            raise TooLarge(f"There are more than {CHOICES:,} choices.", where=where)
        return tuple(_literal(_one(each), where) for each in listed)
    right = _literal(_one(given), where)
    if operator in {"like", "ilike", "contains"} and not isinstance(right, str):
        raise _refusal(f"{operator} compares text.", where, "Give a text.")
    return right


def _literal(given: Any, where: str) -> Operand:
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int | float) and abs(given) < _FINITE:
        return float(given)
    if isinstance(given, str):
        if len(given) > CHARACTERS:
            raise TooLarge(f"It is longer than {CHARACTERS:,} characters.", where=where)
        if "\x00" in given or any("\ud800" <= letter <= "\udfff" for letter in given):
            raise _refusal("The text holds what no text of a record can.", where, "Leave out NUL and lone surrogates.")
        return given
    raise _refusal(
        f"{_shown(given)} cannot be compared.", where, "Give a text, a number, true or false; for 'in' a list."
    )


def _number(given: Any, name: str, least: int, most: int) -> int:
    number = _one(given)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise _refusal(f"{_shown(number)} is no {name}.", f"filter[0].{name}", f"Give a whole number from {least} on.")
    return number


def _descending(given: Any) -> bool:
    order = _one(given)
    name = order.upper() if isinstance(order, str) else order
    if name not in ("ASC", "DESC"):
        raise _refusal(f"The order {_shown(order)} is not known.", "filter[0].sortOrder", "Use ASC or DESC.")
    return cast("bool", name == "DESC")


def _sort(given: Any) -> Sort:
    name, where = _one(given), "filter[0].sortField"
    if isinstance(name, str) and (known := NAMES.get(_short(name), rdf.compact(name))) in _SORTS:
        return _SORTS[known]
    raise _refusal(f"Nothing is sorted by {_shown(name)}.", where, "Sort by id, title (or name), issued or modified.")


def _short(name: Any) -> str:
    """Return a term without its prefix or namespace where it is one of EDC's."""
    text = name if isinstance(name, str) else ""
    return text.removeprefix(EDC) if text.startswith(EDC) else text.removeprefix("edc:")


def _one(value: Any) -> Any:
    """Return what a value is once JSON-LD's wrapping is off."""
    for _ in range(3):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif isinstance(value, dict) and len(value) == 1 and (inner := value.keys() & {"@value", "@id"}):
            value = value[inner.pop()]
        elif isinstance(value, dict) and value.keys() == {"@value", "@type"}:
            value = value["@value"]
    return value


def _listed(value: Any) -> list[Any]:
    if isinstance(value, dict) and value.keys() == {"@list"}:
        value = value["@list"]
    return value if isinstance(value, list) else [value]


def _shown(value: Any) -> str:
    return repr(value)[:100]


def _refusal(what: str, where: str, fix: str) -> InvalidInput:
    """Return the refusal of what was sent, ready to be raised."""
    return InvalidInput(what, where=where, fix=fix)
