"""One valid row of every table that a unit of work may add, to be changed where a test needs it."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlmodel import SQLModel

from connector.storage.tables import (
    Agreement,
    ApiKey,
    Asset,
    Dataset,
    Negotiation,
    Offer,
    Peer,
    Transfer,
    UsedToken,
)

OURS: Final = "did:web:ours.example"
THEIRS: Final = "did:web:theirs.example"
PEER: Final = "did:web:peer.example"
NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)

POLICY: Final[dict[str, Any]] = {"@type": "Offer", "permission": [{"action": "use"}]}


def peer(participant: str = OURS, ident: str = PEER, **fields: Any) -> Peer:
    """Return a peer."""
    return Peer(participant=participant, id=ident, **{"name": "Peer", "address": "https://peer.example", **fields})


def api_key(participant: str = OURS, ident: str = "key", **fields: Any) -> ApiKey:
    """Return a key to the API."""
    return ApiKey(participant=participant, id=ident, **{"name": "Key", "digest": ident, "created": NOON, **fields})


def token(participant: str = OURS, ident: str = "jti", **fields: Any) -> UsedToken:
    """Return a used token."""
    return UsedToken(participant=participant, jti=ident, **{"issuer": PEER, "expires": NOON, **fields})


def dataset(participant: str = OURS, ident: str = "urn:dataset", **fields: Any) -> Dataset:
    """Return one of the participant's own datasets."""
    default = {
        "origin": participant,
        "title": "Rain",
        "profile": "dcat-ap",
        "record": b"<urn:dataset> <urn:p> <urn:o> .\n",
        "fingerprint": "f",
        "created": NOON,
        "updated": NOON,
    }
    return Dataset(participant=participant, id=ident, **{**default, **fields})


def asset(participant: str = OURS, ident: str = "urn:distribution", **fields: Any) -> Asset:
    """Return the file of a distribution."""
    default = {
        "dataset": "urn:dataset",
        "object": "0" * 64,
        "filename": "rain.nc",
        "media_type": "x/y",
        "size": 3 << 32,
    }
    return Asset(participant=participant, distribution=ident, **{**default, **fields})


def offer(participant: str = OURS, ident: str = "urn:offer", **fields: Any) -> Offer:
    """Return an open offer."""
    default = {"dataset": "urn:dataset", "policy": POLICY, "fingerprint": "f", "created": NOON}
    return Offer(participant=participant, id=ident, **{**default, **fields})


def negotiation(participant: str = OURS, ident: str = "urn:pid", **fields: Any) -> Negotiation:
    """Return a negotiation in which we provide."""
    default = {
        "role": "provider",
        "peer": PEER,
        "callback": "https://peer.example/dsp",
        "state": "REQUESTED",
        "dataset": "urn:dataset",
        "offer_id": "urn:offer",
        "policy": POLICY,
        "created": NOON,
        "updated": NOON,
    }
    return Negotiation(participant=participant, pid=ident, **{**default, **fields})


def agreement(participant: str = OURS, ident: str = "urn:agreement", **fields: Any) -> Agreement:
    """Return the active agreement of `negotiation()`."""
    default = {
        "negotiation": "urn:pid",
        "role": "provider",
        "peer": PEER,
        "dataset": "urn:dataset",
        "policy": POLICY,
        "state": "active",
        "created": NOON,
    }
    return Agreement(participant=participant, id=ident, **{**default, **fields})


def transfer(participant: str = OURS, ident: str = "urn:transfer", **fields: Any) -> Transfer:
    """Return a transfer under `agreement()`."""
    default = {
        "role": "provider",
        "peer": PEER,
        "callback": "https://peer.example/dsp",
        "agreement": "urn:agreement",
        "dataset": "urn:dataset",
        "format": "HttpData-PULL",
        "state": "REQUESTED",
        "created": NOON,
        "updated": NOON,
    }
    return Transfer(participant=participant, pid=ident, **{**default, **fields})


def one_of_each(participant: str) -> list[SQLModel]:
    """Return a row of every table, in an order that satisfies their references."""
    makers = (peer, api_key, token, dataset, asset, offer, negotiation, agreement, transfer)
    return [make(participant) for make in makers]
