"""How rows are shown on our own API: plain JSON objects with the names of the standards."""

from typing import Any, Final

from sqlmodel import SQLModel

from connector.standards.dsp import negotiation, transfer
from connector.standards.dsp.negotiation import Role
from connector.storage.tables import (
    Agreement,
    Asset,
    Dataset,
    Evidence,
    Import,
    ImportResult,
    Negotiation,
    Offer,
    OutboxRow,
    Peer,
    SavedDraft,
    Tombstone,
    Transfer,
    Version,
)

HIDDEN: Final = frozenset({"participant", "record", "content", "data_address"})
"""Whose row it is goes without saying; records are served as RDF, and a data address holds a token."""

SHOWN: Final[tuple[type[SQLModel], ...]] = (
    Agreement,
    Asset,
    Dataset,
    Evidence,
    Import,
    ImportResult,
    Negotiation,
    Offer,
    OutboxRow,
    Peer,
    SavedDraft,
    Tombstone,
    Transfer,
    Version,
)

FIELDS: Final[dict[type[SQLModel], frozenset[str]]] = {kind: frozenset(kind.model_fields) - HIDDEN for kind in SHOWN}


def shown(row: SQLModel) -> dict[str, Any]:
    """Return a row as JSON; a process also tells which moves are ours to make now."""
    found = {name: getattr(row, name) for name in sorted(FIELDS[type(row)])}
    if isinstance(row, Negotiation):
        found["moves"] = list(negotiation.allowed(negotiation.State(row.state), Role(row.role)))
    if isinstance(row, Transfer):
        found["moves"] = list(transfer.allowed(transfer.State(row.state), Role(row.role)))
    return found
