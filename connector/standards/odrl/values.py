"""Right-hand values on the wire: typed string value objects, as the Dataspace Protocol's schema demands.

Its schema refuses bare numbers and booleans; we accept numbers, since peers send them, and never write them.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from connector.standards.odrl import times
from connector.standards.odrl.operands import Term
from connector.standards.odrl.policy import Day, Value
from connector.standards.odrl.terms import XSD

_SHOWN: Final = 80


def term(given: Any) -> Term | None:
    """Return the one value that `given` writes, or None when it is nothing that can stand there."""
    if isinstance(given, str):
        return Term(given)
    if isinstance(given, Mapping):
        return _object(given)
    return Term(str(given), XSD + "integer") if isinstance(given, int) and not isinstance(given, bool) else None


def _object(given: Mapping[str, Any]) -> Term | None:
    """Return what an object with `@id`, or with `@value` and perhaps `@type`, writes."""
    if set(given) == {"@id"}:
        return Term(given["@id"], is_iri=True) if isinstance(given["@id"], str) else None
    value, kind = given.get("@value"), given.get("@type")
    if not set(given) <= {"@value", "@type"} or isinstance(value, bool) or not isinstance(kind, str | None):
        return None
    if isinstance(value, str):
        return Term(value, kind)
    return Term(str(value), kind or XSD + "integer") if isinstance(value, int) else None


def is_name(given: Any) -> bool:
    """Whether `given` can name something: a number cannot."""
    return isinstance(given, str | Mapping)


def write(value: Value) -> dict[str, str]:
    """Return the wire form of one value."""
    if isinstance(value, str):
        return {"@id": value}
    if isinstance(value, datetime | Day):
        return {"@value": times.text_of(value), "@type": "xsd:date" if isinstance(value, Day) else "xsd:dateTime"}
    return {"@value": str(value), "@type": "xsd:decimal" if isinstance(value, Decimal) else "xsd:integer"}


def shown(given: Any) -> str:
    """Return `given` short enough for a sentence."""
    text = repr(given)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
