"""The messages of the Dataspace Protocol 2025-1, typed.

    m = decode(body, ContractRequestMessage)     m.consumer_pid, m.offer, m.callback_address, m.extra
    encode(m)                                    bytes, with the `@context` array

House rules:

1. A message is what the published JSON schema says it is; `schema.MESSAGES` holds the verdict, the structs the shape.
2. Plain JSON first. Only a message that is not in the plain form goes through JSON-LD (see `linked`), and then has to
   pass the same schema.
3. Keys the protocol does not know stay in `extra`, under their own names, and go out again unchanged.
4. Policies stay plain dictionaries as on the wire; their meaning is `connector.standards.odrl`'s affair.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, Literal, TypeVar, get_args, overload

import msgspec
from msgspec import field

from connector.errors import InvalidInput, Refusal
from connector.standards.dsp import linked, wire
from connector.standards.dsp.schema import CONTEXT, DATA_ADDRESS, MESSAGES, demand

QUICK_BYTES: Final = 64 * 1024
"""Largest document that is read in well under a millisecond."""


class Part(msgspec.Struct, frozen=True, kw_only=True, tag_field="@type", tag=True, rename="camel"):
    """An object of the protocol; the class name is its `@type`, `extra` has the keys the protocol does not know."""

    extra: dict[str, Any] = field(default_factory=dict)


class EndpointProperty(Part, frozen=True, kw_only=True):
    """A name and a value that a transport needs, such as `authorization`."""

    name: str
    value: str

    def __repr__(self) -> str:
        """Leave the value out: it is usually a token."""
        return f"EndpointProperty(name={self.name!r})"


class DataAddress(Part, frozen=True, kw_only=True):
    """Where the bytes are: `endpoint_type` is an IRI that names the transport (clause 10.3.2)."""

    endpoint_type: str
    endpoint: str | None = None
    endpoint_properties: tuple[EndpointProperty, ...] = ()

    def get(self, name: str) -> str | None:
        """Return the value of the endpoint property `name`, the last one where it stands twice."""
        return {entry.name: entry.value for entry in self.endpoint_properties}.get(name)


class Message(Part, frozen=True, kw_only=True):
    """What every message has. `id` identifies the message itself, so that a repeat can be known as one."""

    context: tuple[str, ...] = field(default=(CONTEXT,), name="@context")
    id: str | None = field(default=None, name="@id")


class _Paired(Message, frozen=True, kw_only=True):
    provider_pid: str
    consumer_pid: str


class _Caused(_Paired, frozen=True, kw_only=True):
    """A message that may say why: `code` is the sender's own, `reason` holds texts or objects."""

    code: str | None = None
    reason: tuple[Any, ...] = ()


class CatalogRequestMessage(Message, frozen=True, kw_only=True):
    """A consumer asks for the catalog; what `filter` holds is up to implementations (clause 5.1.1)."""

    filter: tuple[Any, ...] = ()


class DatasetRequestMessage(Message, frozen=True, kw_only=True):
    """A consumer asks for one dataset; not sent over HTTPS (clause 5.1.2)."""

    dataset: str


class CatalogError(Message, frozen=True, kw_only=True):
    """The catalog service could not do what it was asked."""

    code: str | None = None
    reason: tuple[Any, ...] = ()


class ContractRequestMessage(Message, frozen=True, kw_only=True):
    """A consumer asks for an agreement: the first time with `callback_address`, later with `provider_pid`."""

    consumer_pid: str
    offer: dict[str, Any]
    provider_pid: str | None = None
    callback_address: str | None = None


class ContractOfferMessage(Message, frozen=True, kw_only=True):
    """A provider makes an offer: the first time with `callback_address`, later with `consumer_pid`."""

    provider_pid: str
    offer: dict[str, Any]
    consumer_pid: str | None = None
    callback_address: str | None = None


class ContractAgreementMessage(_Paired, frozen=True, kw_only=True):
    """A provider agrees."""

    agreement: dict[str, Any]


class ContractAgreementVerificationMessage(_Paired, frozen=True, kw_only=True):
    """A consumer verified the agreement."""


class ContractNegotiationEventMessage(_Paired, frozen=True, kw_only=True):
    """A consumer says ACCEPTED or a provider FINALIZED."""

    event_type: str


class ContractNegotiationTerminationMessage(_Caused, frozen=True, kw_only=True):
    """Either side ends the negotiation."""


class ContractNegotiation(_Paired, frozen=True, kw_only=True):
    """The acknowledgement of a negotiation message; `state` is a `negotiation.State`."""

    state: str


class ContractNegotiationError(_Caused, frozen=True, kw_only=True):
    """A negotiation message was refused; nothing changed."""


class TransferRequestMessage(Message, frozen=True, kw_only=True):
    """A consumer asks for the data of an agreement; `data_address` only for push formats."""

    consumer_pid: str
    agreement_id: str
    format: str
    callback_address: str
    data_address: DataAddress | None = None


class TransferStartMessage(_Paired, frozen=True, kw_only=True):
    """The data flows from now on; for pull formats `data_address` says from where."""

    data_address: DataAddress | None = None


class TransferSuspensionMessage(_Caused, frozen=True, kw_only=True):
    """Either side pauses the transfer."""


class TransferCompletionMessage(_Paired, frozen=True, kw_only=True):
    """Either side says that all is done."""


class TransferTerminationMessage(_Caused, frozen=True, kw_only=True):
    """Either side ends the transfer."""


class TransferProcess(_Paired, frozen=True, kw_only=True):
    """The acknowledgement of a transfer message; `state` is a `transfer.State`."""

    state: str


class TransferError(_Caused, frozen=True, kw_only=True):
    """A transfer message was refused; nothing changed."""


AnyMessage = (
    CatalogRequestMessage
    | DatasetRequestMessage
    | CatalogError
    | ContractRequestMessage
    | ContractOfferMessage
    | ContractAgreementMessage
    | ContractAgreementVerificationMessage
    | ContractNegotiationEventMessage
    | ContractNegotiationTerminationMessage
    | ContractNegotiation
    | ContractNegotiationError
    | TransferRequestMessage
    | TransferStartMessage
    | TransferSuspensionMessage
    | TransferCompletionMessage
    | TransferTerminationMessage
    | TransferProcess
    | TransferError
)
TYPES: Final[Mapping[str, type[Message]]] = {kind.__name__: kind for kind in get_args(AnyMessage)}
_PARTS: Final[Mapping[str, type[Part]]] = {"dataAddress": DataAddress, "endpointProperties": EndpointProperty}
_UNTYPED: Final = ("@id",)  # the schemas say nothing about it, so it may be anything

T = TypeVar("T", bound=Message)
P = TypeVar("P", bound=Part)


@overload
def decode(data: bytes) -> Message: ...
@overload
def decode(data: bytes, *expected: type[T]) -> T: ...
def decode(data: bytes, *expected: type[T]) -> T | Message:
    """Return the message in `data`, which is one of the `expected` types (of all types when none is named).

    Accepts the plain JSON form and, through JSON-LD, prefixed and expanded forms of the same message.

    Raises:
        InvalidInput: it is none of these messages or breaks its schema; says what, where and how to mend it.
        TooLarge: more than 1 MB, or nested deeper than 64 levels.
    """
    document = wire.read(data)
    names = [kind.__name__ for kind in expected] or list(TYPES)
    if not linked.is_plain(document, TYPES):
        document = linked.plain(document, TYPES)
    return _load(document, names)


def quickly(data: bytes) -> dict[str, Any] | None:
    """Return the document in `data` if it is small and in the plain form, for `load`; else None, for `decode`.

    It never refuses: what is wrong with a document is `decode`'s to say, once it is known who asks.
    """
    if len(data) > QUICK_BYTES:
        return None
    try:
        document = wire.read(data)
    except Refusal:
        return None
    found: dict[str, Any] | None = document if linked.is_plain(document, TYPES) else None
    return found


@overload
def load(document: Mapping[str, Any]) -> Message: ...
@overload
def load(document: Mapping[str, Any], *expected: type[T]) -> T: ...
def load(document: Mapping[str, Any], *expected: type[T]) -> T | Message:
    """Return the message that the plain form `document` is, as `decode` does from bytes."""
    return _load(dict(document), [kind.__name__ for kind in expected] or list(TYPES))


def encode(message: Message) -> bytes:
    """Return `message` as it goes over the wire."""
    return wire.write(dump(message))


def dump(part: Part) -> dict[str, Any]:
    """Return `part`, a message or a data address, as the plain JSON object of the wire; absent values are left out."""
    plain: dict[str, Any] = {}
    if isinstance(part, Message):
        plain["@context"] = list(part.context)
    plain["@type"] = type(part).__name__
    for name, key in _fields(type(part)):
        value = getattr(part, name)
        if isinstance(value, Part):
            plain[key] = dump(value)
        elif isinstance(value, tuple):
            if value and key != "@context":
                plain[key] = [dump(entry) if isinstance(entry, Part) else entry for entry in value]
        elif value is not None:
            plain[key] = value
    return plain | part.extra


def load_address(document: Mapping[str, Any]) -> DataAddress:
    """Return the data address in the plain form `document`, as `dump` writes it.

    Raises:
        InvalidInput: it is no data address.
    """
    demand(DATA_ADDRESS, document)
    return _build(DataAddress, document)


Family = Literal["catalog", "negotiation", "transfer"]


@overload
def error(kind: Literal["catalog"], code: str, reasons: Iterable[str], *, id: str | None = None) -> CatalogError: ...
@overload
def error(
    kind: Literal["negotiation"],
    code: str,
    reasons: Iterable[str],
    consumer_pid: str = "",
    provider_pid: str = "",
    *,
    id: str | None = None,
) -> ContractNegotiationError: ...
@overload
def error(
    kind: Literal["transfer"],
    code: str,
    reasons: Iterable[str],
    consumer_pid: str = "",
    provider_pid: str = "",
    *,
    id: str | None = None,
) -> TransferError: ...
@overload
def error(
    kind: Family,
    code: str,
    reasons: Iterable[str],
    consumer_pid: str = "",
    provider_pid: str = "",
    *,
    id: str | None = None,
) -> CatalogError | ContractNegotiationError | TransferError: ...
def error(
    kind: Family,
    code: str,
    reasons: Iterable[str],
    consumer_pid: str = "",
    provider_pid: str = "",
    *,
    id: str | None = None,  # noqa: A002 - the message's own id, named as the field is
) -> CatalogError | ContractNegotiationError | TransferError:
    """Return the error object of a family of endpoints.

    Negotiation and transfer errors must have both pids: give what the caller sent; a pid that nobody has stays empty.
    """
    reason: Sequence[str] = tuple(reasons)
    if kind == "catalog":
        return CatalogError(id=id, code=code, reason=tuple(reason))
    paired = ContractNegotiationError if kind == "negotiation" else TransferError
    return paired(id=id, code=code, reason=tuple(reason), consumer_pid=consumer_pid, provider_pid=provider_pid)


def _load(document: Any, names: Sequence[str]) -> Message:
    name = document.get("@type") if isinstance(document, dict) else None
    if not isinstance(name, str) or name not in names:
        raise InvalidInput(
            f"This is {f'a {name}' if name in list(TYPES) else 'not a message of the protocol'}.",
            where="$['@type']",
            fix=f"Send {' or '.join(names)} with its '@context'.",
        )
    demand(MESSAGES[name], document)
    return _build(TYPES[name], document)


def _build(kind: type[P], document: Mapping[str, Any]) -> P:
    """Return a `kind` from a plain form that passed its schema."""
    given = dict(document)
    del given["@type"]
    values: dict[str, Any] = {}
    for name, key in _fields(kind):
        if key not in given or (key in _UNTYPED and not isinstance(given[key], str)):
            continue
        value = given.pop(key)
        part = _PARTS.get(key)
        if isinstance(value, list):
            values[name] = tuple(_build(part, entry) if part else entry for entry in value)
        else:
            values[name] = _build(part, value) if part else value
    return kind(**values, extra=given)


@cache
def _fields(kind: type[Part]) -> tuple[tuple[str, str], ...]:
    """Return the fields of `kind` as (name in the house, name on the wire), `extra` left out."""
    return tuple((f.name, f.encode_name) for f in msgspec.structs.fields(kind) if f.name != "extra")
