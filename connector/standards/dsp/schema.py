"""The JSON schemas of the Dataspace Protocol 2025-1 as checks on plain values.

A check yields one `Finding` per broken rule. The names follow the published schemas (`MessageOffer`, `Duty`, …), and
so does every verdict, with one rule of the text added that the schemas leave out: a rule inside a policy has no
target of its own (chapter 7), because reading over it would apply the rule to the wrong dataset.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from connector.errors import InvalidInput

CONTEXT: Final = "https://w3id.org/dspace/2025/1/context.jsonld"
NAMESPACE: Final = "https://w3id.org/dspace/2025/1/"

NEGOTIATION_STATES: Final = ("REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED", "TERMINATED")
TRANSFER_STATES: Final = ("REQUESTED", "STARTED", "TERMINATED", "COMPLETED", "SUSPENDED")
# `term-lteq` is a slip in the published schema; refusing it would be a stricter verdict than the schema's.
OPERATORS: Final = (
    *("eq", "neq", "gt", "gteq", "lt", "lteq", "isA", "hasPart", "isPartOf", "isAllOf", "isAnyOf", "isNoneOf"),
    "term-lteq",
)
LOGICAL: Final = ("and", "andSequence", "or", "xone")
_MOST_FINDINGS: Final = 20


class Finding(NamedTuple):
    """One broken rule: the place as a JSON path, what is wrong there, and how to mend it."""

    where: str
    what: str
    fix: str


Check = Callable[[Any, str], Iterator[Finding]]


def demand(check: Check, value: object) -> None:
    """Pass a value that `check` finds nothing wrong with.

    Raises:
        InvalidInput: it breaks a rule; the first one in words, and all of them (at most 20) as reasons.
    """
    findings = [finding for finding, _ in zip(check(value, "$"), range(_MOST_FINDINGS), strict=False)]
    if findings:
        first = findings[0]
        reasons = [f"{where}: {what}. {fix}" for where, what, fix in findings] if len(findings) > 1 else []
        raise InvalidInput(f"{first.where} {first.what}.", where=first.where, fix=first.fix, reasons=reasons)


def _kind(value: object) -> str:
    words = {dict: "an object", list: "an array", str: "text", bool: "true or false", type(None): "null"}
    return words.get(type(value), "a number")


def text(value: Any, where: str) -> Iterator[Finding]:
    """A JSON string."""
    if not isinstance(value, str):
        yield Finding(where, f"is {_kind(value)} and must be text", "Write it as a JSON string.")


def anything(value: Any, where: str) -> Iterator[Finding]:  # noqa: ARG001 - a check takes a value and its place
    """Any JSON value."""
    yield from ()


def one(*words: str) -> Check:
    """One of `words`."""

    def check(value: Any, where: str) -> Iterator[Finding]:
        if not isinstance(value, str) or value not in words:
            said = repr(value)[:80] if isinstance(value, str) else _kind(value)
            yield Finding(where, f"is {said}", f"Write {' or '.join(map(repr, words))}.")

    return check


def array(item: Check = anything, *, least: int = 0) -> Check:
    """An array of at least `least` values that pass `item`."""

    def check(value: Any, where: str) -> Iterator[Finding]:
        if not isinstance(value, list):
            yield Finding(where, f"is {_kind(value)} and must be an array", "Put it into square brackets.")
        elif len(value) < least:
            yield Finding(where, "is an empty array", "Leave the key out, or give at least one value.")
        else:
            for index, entry in enumerate(value):
                yield from item(entry, f"{where}[{index}]")

    return check


def shape(fields: Mapping[str, Check], required: tuple[str, ...] = (), *rules: Check) -> Check:
    """An object whose `fields` pass where present, with all `required` keys, that passes `rules` too."""

    def check(value: Any, where: str) -> Iterator[Finding]:
        if not isinstance(value, dict):
            yield Finding(where, f"is {_kind(value)} and must be an object", "Write a JSON object.")
            return
        for key in required:
            if key not in value:
                yield Finding(where, f"has no {key!r}", f"Add {key!r}.")
        for key, test in fields.items():
            if key in value:
                yield from test(value[key], f"{where}.{key}")
        for rule in rules:
            yield from rule(value, where)

    return check


def exactly_one(*keys: str) -> Check:
    """An object with exactly one of `keys`."""

    def check(value: Any, where: str) -> Iterator[Finding]:
        there = [key for key in keys if key in value]
        if len(there) != 1:
            names = ", ".join(map(repr, there)) or "none"
            yield Finding(where, f"has {names} of {', '.join(map(repr, keys))}", "Give exactly one of them.")

    return check


def some(*keys: str) -> Check:
    """An object with at least one of `keys`."""

    def check(value: Any, where: str) -> Iterator[Finding]:
        if not any(key in value for key in keys):
            names = " nor ".join(map(repr, keys))
            yield Finding(where, f"has neither {names}", 'The least is "permission": [{"action": "use"}].')

    return check


def without(key: str, why: str) -> Check:
    """An object that does not have `key`."""

    def check(value: Any, where: str) -> Iterator[Finding]:
        if key in value:
            yield Finding(where, f"has {key!r}, {why}", f"Take {key!r} out.")

    return check


# --- contract-schema.json -------------------------------------------------------------------------------------------


def context(value: Any, where: str) -> Iterator[Finding]:
    """An array of strings with the protocol's own context among them (context-schema.json)."""
    yield from array(text)(value, where)
    if isinstance(value, list) and CONTEXT not in value:
        yield Finding(where, "does not name the protocol's context", f"Add {CONTEXT!r}.")


def operand(value: Any, where: str) -> Iterator[Finding]:
    """RightOperand: text, an object or an array."""
    if not isinstance(value, str | dict | list):
        fix = 'Write text, or an object such as {"@value": "5", "@type": "xsd:integer"}.'
        yield Finding(where, f"is {_kind(value)}", fix)


_ATOMIC: Final = shape(
    {"leftOperand": text, "operator": one(*OPERATORS), "rightOperand": operand},
    ("leftOperand", "operator", "rightOperand"),
)


def constraint(value: Any, where: str) -> Iterator[Finding]:
    """Constraint: exactly one of a logical and an atomic one, each by its own rules.

    The schema's verdict is that of the two as wholes, so keys of the one kind may lie beside a valid other.
    """
    logical = next(_LOGICAL(value, where), None)
    atomic = next(_ATOMIC(value, where), None)
    if logical is None and atomic is None:
        yield Finding(where, "is both a logical and an atomic constraint", "Make two constraints of it.")
    elif logical is not None and atomic is not None:
        yield logical if isinstance(value, dict) and any(key in value for key in LOGICAL) else atomic


_LOGICAL: Final = shape({key: array(constraint) for key in LOGICAL}, (), exactly_one(*LOGICAL))

RULE: Final = shape(
    {"action": text, "constraint": array(constraint)},
    ("action",),
    without("target", "which only the policy as a whole may have"),
)
_POLICY: Final = {
    "@id": text,
    "profile": lambda value, where: array(text)(value, where) if isinstance(value, list) else text(value, where),
    "permission": array(RULE, least=1),
    "prohibition": array(RULE, least=1),
    "obligation": array(RULE, least=1),
}
_RULES: Final = some("permission", "prohibition")
MESSAGE_OFFER: Final = shape({**_POLICY, "@type": one("Offer"), "target": text}, ("@id", "@type"), _RULES)
TARGETED_OFFER: Final = shape({}, ("target",), MESSAGE_OFFER)
OFFER: Final = shape(
    {**_POLICY, "@type": one("Offer")},
    ("@id",),
    _RULES,
    without("target", "though in a catalog the offer belongs to the dataset around it"),
)

# An xsd:dateTime, as the schema's pattern has it: searched for, not matched whole.
_TIMESTAMP: Final = re.compile(
    r"-?([1-9][0-9]{3,}|0[0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?|(24:00:00(\.0+)?))"
    r"(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))?"
)


def timestamp(value: Any, where: str) -> Iterator[Finding]:
    """An xsd:dateTime."""
    if not isinstance(value, str) or not _TIMESTAMP.search(value):
        yield Finding(where, "is not a date and time", "Write it like '2026-01-31T12:00:00Z'.")


AGREEMENT: Final = shape(
    {**_POLICY, "@type": one("Agreement"), "target": text, "assigner": text, "assignee": text, "timestamp": timestamp},
    ("@id", "@type", "target", "assignee", "assigner"),
    _RULES,
)

# --- dataset-schema.json and catalog-schema.json --------------------------------------------------------------------


def access_service(value: Any, where: str) -> Iterator[Finding]:
    """The id of a data service, or the service itself."""
    if not isinstance(value, str):
        yield from DATA_SERVICE(value, where)


DISTRIBUTION: Final = shape(
    {"hasPolicy": array(OFFER, least=1), "accessService": access_service, "format": text}, ("accessService", "format")
)
_RESOURCE: Final = {"@id": text, "distribution": array(DISTRIBUTION, least=1)}
DATASET: Final = shape({**_RESOURCE, "hasPolicy": array(OFFER, least=1)}, ("@id", "hasPolicy", "distribution"))
DATA_SERVICE: Final = shape(
    {"@id": text, "@type": one("DataService"), "endpointURL": text, "servesDataset": array(DATASET, least=1)},
    ("@id", "@type", "endpointURL"),
)


def nested_catalog(value: Any, where: str) -> Iterator[Finding]:
    """A catalog inside a catalog."""
    yield from NESTED_CATALOG(value, where)


_CATALOG: Final = {
    **_RESOURCE,
    "@type": one("Catalog"),
    "dataset": array(DATASET, least=1),
    "catalog": array(nested_catalog, least=1),
    "service": array(DATA_SERVICE, least=1),
}
_NO_POLICY: Final = without("hasPolicy", "which is the datasets' to have")
NESTED_CATALOG: Final = shape(_CATALOG, ("@id", "@type"), _NO_POLICY)
ROOT_CATALOG: Final = shape(
    {"@context": context, **_CATALOG, "participantId": text},
    ("@context", "@id", "@type", "participantId"),
    _NO_POLICY,
)
ROOT_DATASET: Final = shape({"@context": context}, ("@context",), DATASET)

# --- the messages ---------------------------------------------------------------------------------------------------

_PROPERTY: Final = shape({"@type": one("EndpointProperty"), "name": text, "value": text}, ("@type", "name", "value"))
DATA_ADDRESS: Final = shape(
    {
        "@type": one("DataAddress"),
        "endpointType": text,
        "endpoint": text,
        "endpointProperties": array(_PROPERTY, least=1),
    },
    ("@type", "endpointType"),
)

_PIDS: Final[Mapping[str, Check]] = {"providerPid": text, "consumerPid": text}
_BOTH: Final = ("providerPid", "consumerPid")
_CAUSE: Final[Mapping[str, Check]] = {**_PIDS, "code": text, "reason": array(least=1)}


def _message(
    name: str, fields: Mapping[str, Check], required: tuple[str, ...] = (), *rules: Check
) -> tuple[str, Check]:
    fields = {"@context": context, "@type": one(name), **fields}
    return name, shape(fields, ("@context", "@type", *required), *rules)


MESSAGES: Final[Mapping[str, Check]] = MappingProxyType(
    dict(
        (
            _message("CatalogRequestMessage", {"filter": array()}),
            _message("DatasetRequestMessage", {"dataset": text}, ("dataset",)),
            _message("CatalogError", {"code": text, "reason": array()}),
            _message(
                "ContractRequestMessage",
                {**_PIDS, "offer": MESSAGE_OFFER, "callbackAddress": text},
                ("consumerPid", "offer"),
                exactly_one("callbackAddress", "providerPid"),
            ),
            _message(
                "ContractOfferMessage",
                {**_PIDS, "offer": TARGETED_OFFER, "callbackAddress": text},
                ("providerPid", "offer"),
                exactly_one("callbackAddress", "consumerPid"),
            ),
            _message("ContractAgreementMessage", {**_PIDS, "agreement": AGREEMENT}, (*_BOTH, "agreement")),
            _message("ContractAgreementVerificationMessage", _PIDS, _BOTH),
            _message(
                "ContractNegotiationEventMessage",
                {**_PIDS, "eventType": one("ACCEPTED", "FINALIZED")},
                (*_BOTH, "eventType"),
            ),
            _message("ContractNegotiationTerminationMessage", _CAUSE, _BOTH),
            _message("ContractNegotiation", {**_PIDS, "state": one(*NEGOTIATION_STATES)}, (*_BOTH, "state")),
            _message("ContractNegotiationError", _CAUSE, _BOTH),
            _message(
                "TransferRequestMessage",
                {
                    "consumerPid": text,
                    "agreementId": text,
                    "format": text,
                    "dataAddress": DATA_ADDRESS,
                    "callbackAddress": text,
                },
                ("agreementId", "format", "callbackAddress", "consumerPid"),
            ),
            _message("TransferStartMessage", {**_PIDS, "dataAddress": DATA_ADDRESS}, _BOTH),
            _message("TransferSuspensionMessage", _CAUSE, _BOTH),
            _message("TransferCompletionMessage", _PIDS, _BOTH),
            _message("TransferTerminationMessage", _CAUSE, _BOTH),
            _message("TransferProcess", {**_PIDS, "state": one(*TRANSFER_STATES)}, (*_BOTH, "state")),
            _message("TransferError", _CAUSE, _BOTH),
        )
    )
)
