"""Every table. The classes are the schema, the migrations' measure and the everyday records.

What they share is in `rows`; those of a record's life are in `lifecycle` and are had from here.

House rules of these files:

1. Every row belongs to a participant, and every composite primary key starts with `participant`.
2. A moment is an aware `datetime` in UTC on both engines; a naive one is refused.
3. Enumerations are text, so that a new value needs no schema change.
4. JSON columns hold JSON text, not a binary form, so that what was signed or sealed comes back unchanged.
"""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import AutoString, Field, SQLModel

from connector.storage.lifecycle import (
    Address,
    DatasetKind,
    Import,
    ImportResult,
    Member,
    SavedDraft,
    Tombstone,
    Version,
)
from connector.storage.rows import Json, JsonObject, Moment, Row, Sequence64

__all__ = [
    "Address",
    "Agreement",
    "ApiKey",
    "Asset",
    "Dataset",
    "Evidence",
    "Import",
    "ImportResult",
    "JsonObject",
    "LedgerHead",
    "Member",
    "Moment",
    "Negotiation",
    "Offer",
    "OutboxRow",
    "Peer",
    "Push",
    "SavedDraft",
    "Tombstone",
    "Transfer",
    "UsedToken",
    "Version",
]

DatasetState = Literal["published", "withdrawn", "deleted"]
Automation = Literal["accept", "approve", "none", "scripted"]
OfferState = Literal["open", "closed"]
AgreementState = Literal["pending", "active", "terminated"]
DeliveryState = Literal["waiting", "failed"]


class Peer(Row, table=True):
    """Another connector we know: where it is, its keys, and how the last crawl of its catalog went."""

    __tablename__ = "peer"

    id: str = Field(primary_key=True)
    name: str
    address: str
    keys: JsonObject = Field(default_factory=dict, sa_type=Json)
    country: str | None = None
    crawled_at: datetime | None = Field(default=None, sa_type=Moment)
    crawl_state: str | None = None
    crawl_error: str | None = None
    crawl_tags: list[list[str]] | None = Field(default=None, sa_type=Json)
    """Address and entity tag of each page of the last crawl, where a later one may ask whether they still hold."""


class ApiKey(Row, table=True):
    """A key to our own API. Only its digest is kept."""

    __tablename__ = "api_key"
    __table_args__ = (Index("api_key_digest", "participant", "digest", unique=True),)

    id: str = Field(primary_key=True)
    name: str
    roles: list[str] = Field(default_factory=list, sa_type=Json)
    digest: str
    created: datetime = Field(sa_type=Moment)
    revoked: datetime | None = Field(default=None, sa_type=Moment)


class UsedToken(Row, table=True):
    """A token that was presented once and never counts again; kept until it would have expired."""

    __tablename__ = "used_token"
    __table_args__ = (Index("used_token_expires", "participant", "expires"),)

    issuer: str = Field(primary_key=True)
    jti: str = Field(primary_key=True)
    expires: datetime = Field(sa_type=Moment)


class Dataset(Row, table=True):
    """A catalog record: our own (`origin` is the participant) or one crawled from a peer (`origin` is the peer).

    `record` is the canonical N-Triples of the whole record and the truth; everything else about a dataset is a
    projection of it. `offers` are the wire offers of a crawled dataset; our own live in `Offer`. What is deleted and
    still here has agreements.
    """

    __tablename__ = "dataset"
    __table_args__ = (Index("dataset_updated", "participant", "state", "updated"),)

    origin: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    title: str
    profile: str
    record: bytes = Field(sa_type=LargeBinary)
    fingerprint: str
    version: int = 1
    state: DatasetState = Field(default="published", sa_type=AutoString)
    offers: list[JsonObject] = Field(default_factory=list, sa_type=Json)
    formats: list[str] = Field(default_factory=list, sa_type=Json)
    kind: DatasetKind = Field(default="dataset", sa_type=AutoString)
    created: datetime = Field(sa_type=Moment)
    updated: datetime = Field(sa_type=Moment)


class Asset(Row, table=True):
    """The file behind a distribution of one of our datasets; `object` is its SHA-256 in the object store."""

    __tablename__ = "asset"
    __table_args__ = (Index("asset_object", "participant", "object"),)

    dataset: str = Field(primary_key=True)
    distribution: str = Field(primary_key=True)
    object: str
    filename: str
    media_type: str
    size: int = Field(sa_type=BigInteger)
    format: str | None = None


class Offer(Row, table=True):
    """Terms under which we give a dataset, and how a request for them is answered."""

    __tablename__ = "offer"
    __table_args__ = (Index("offer_dataset", "participant", "dataset", "state"),)

    id: str = Field(primary_key=True)
    dataset: str
    policy: JsonObject = Field(sa_type=Json)
    fingerprint: str
    automation: Automation = Field(default="approve", sa_type=AutoString)
    script: list[Any] = Field(default_factory=list, sa_type=Json)
    state: OfferState = Field(default="open", sa_type=AutoString)
    created: datetime = Field(sa_type=Moment)


class Negotiation(Row, table=True):
    """A contract negotiation as we see it; `policy` are the terms on the table, `claims` what the consumer stated.

    `automation`, `script` and `step` are the rule it lives under and how much of the script is done. `accept` are the
    policies that we as consumer agree to; none given means any.
    """

    __tablename__ = "negotiation"
    __table_args__ = (
        # A peer that asks twice at once opens one process: the second insert is refused.
        Index("negotiation_peer", "participant", "peer", "role", "peer_pid", unique=True),
        Index("negotiation_updated", "participant", "state", "updated"),
    )

    pid: str = Field(primary_key=True)
    role: str
    peer: str
    peer_pid: str | None = None
    callback: str
    state: str
    dataset: str
    offer_id: str
    policy: JsonObject = Field(sa_type=Json)
    claims: JsonObject = Field(default_factory=dict, sa_type=Json)
    agreement_id: str | None = None
    reason: list[Any] = Field(default_factory=list, sa_type=Json)
    code: str | None = None
    pending: str | None = None
    automation: Automation = Field(default="accept", sa_type=AutoString)
    script: list[Any] = Field(default_factory=list, sa_type=Json)
    step: int = 0
    accept: list[JsonObject] | None = Field(default=None, sa_type=Json)
    created: datetime = Field(sa_type=Moment)
    updated: datetime = Field(sa_type=Moment)


class Agreement(Row, table=True):
    """What both sides agreed, as on the wire, with their signatures; `uses` counts what a limit allows.

    `automation` and `script` are the rule for the transfers under it.
    """

    __tablename__ = "agreement"
    __table_args__ = (
        ForeignKeyConstraint(
            ["participant", "negotiation"], ["negotiation.participant", "negotiation.pid"], name="agreement_negotiation"
        ),
        Index("agreement_by_negotiation", "participant", "negotiation"),
        Index("agreement_dataset", "participant", "dataset", "state"),
    )

    id: str = Field(primary_key=True)
    negotiation: str
    role: str
    peer: str
    dataset: str
    policy: JsonObject = Field(sa_type=Json)
    claims: JsonObject = Field(default_factory=dict, sa_type=Json)
    signatures: JsonObject = Field(default_factory=dict, sa_type=Json)
    state: AgreementState = Field(default="pending", sa_type=AutoString)
    reason: str | None = None
    uses: int = 0
    automation: Automation = Field(default="accept", sa_type=AutoString)
    script: list[Any] = Field(default_factory=list, sa_type=Json)
    created: datetime = Field(sa_type=Moment)
    ended: datetime | None = Field(default=None, sa_type=Moment)


class Transfer(Row, table=True):
    """A transfer process under an agreement of the same participant."""

    __tablename__ = "transfer"
    __table_args__ = (
        ForeignKeyConstraint(
            ["participant", "agreement"], ["agreement.participant", "agreement.id"], name="transfer_agreement"
        ),
        Index("transfer_by_agreement", "participant", "agreement"),
        Index("transfer_peer", "participant", "peer", "role", "peer_pid", unique=True),
        Index("transfer_updated", "participant", "state", "updated"),
    )

    pid: str = Field(primary_key=True)
    role: str
    peer: str
    peer_pid: str | None = None
    callback: str
    agreement: str
    dataset: str
    format: str
    state: str
    data_address: JsonObject | None = Field(default=None, sa_type=Json)
    reason: list[Any] = Field(default_factory=list, sa_type=Json)
    code: str | None = None
    pending: str | None = None
    automation: Automation = Field(default="accept", sa_type=AutoString)
    script: list[Any] = Field(default_factory=list, sa_type=Json)
    step: int = 0
    created: datetime = Field(sa_type=Moment)
    updated: datetime = Field(sa_type=Moment)


class Push(Row, table=True):
    """How far a file of a transfer has come that we bring to its consumer; `sent` bytes are surely there.

    `upload` and `tags` are the upload in parts of an S3 store and the tags of the parts it has.
    """

    __tablename__ = "push"

    transfer: str = Field(primary_key=True)
    filename: str = Field(primary_key=True)
    digest: str = ""
    size: int = Field(sa_type=BigInteger)
    sent: int = Field(default=0, sa_type=BigInteger)
    upload: str | None = None
    tags: list[str] = Field(default_factory=list, sa_type=Json)
    done: bool = False
    updated: datetime = Field(sa_type=Moment)


class Evidence(SQLModel, table=True):
    """What happened, provably: written in the transaction of the act, sealed into the chain a moment later.

    `seq` is the order of writing over all participants and has gaps; `position` counts the sealed rows of one
    participant without gaps. `position`, `previous` and `digest` are empty until `Ledger.seal` sets them, once.
    """

    __tablename__ = "evidence"
    __table_args__ = (
        UniqueConstraint("participant", "id", name="evidence_id"),
        UniqueConstraint("participant", "subject", "message_id", name="evidence_message"),
        UniqueConstraint("participant", "position", name="evidence_position"),
        Index("evidence_subject", "participant", "subject", "seq"),
        # Few rows are unsealed at any time: the partial index keeps `seal` independent of the ledger's length.
        Index(
            "evidence_unsealed",
            "participant",
            "seq",
            sqlite_where=text("position IS NULL"),
            postgresql_where=text("position IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    participant: str
    seq: int | None = Field(default=None, primary_key=True, sa_type=Sequence64)
    id: str
    subject: str
    kind: str
    actor: str
    message_id: str | None = None
    body: JsonObject = Field(sa_type=Json)
    at: datetime = Field(sa_type=Moment)
    position: int | None = Field(default=None, sa_type=BigInteger)
    previous: str | None = None
    digest: str | None = None


class LedgerHead(Row, table=True):
    """The end of a participant's chain: how many rows are sealed, the last one, and our signature over both."""

    __tablename__ = "ledger_head"

    position: int = Field(default=0, sa_type=BigInteger)
    seq: int = Field(default=0, sa_type=BigInteger)
    digest: str | None = None
    signature: str | None = None
    sealed: datetime | None = Field(default=None, sa_type=Moment)


class OutboxRow(SQLModel, table=True):
    """One event for one subscriber. It is deleted when delivered; `failed` rows are given up and wait for a person.

    `due` never changes: it says when the row becomes part of its subject's queue. `lease_until` keeps everybody's
    hands off the row, while it is being delivered and between attempts.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_due", "state", "due", "id"),
        Index("outbox_lease", "state", "lease_until"),
        Index("outbox_queue", "participant", "subject", "subscriber", "id"),
        {"sqlite_autoincrement": True},
    )

    participant: str
    id: int | None = Field(default=None, primary_key=True, sa_type=Sequence64)
    subscriber: str
    event: str
    subject: str
    body: JsonObject = Field(sa_type=Json)
    due: datetime = Field(sa_type=Moment)
    attempts: int = 0
    lease_until: datetime | None = Field(default=None, sa_type=Moment)
    state: DeliveryState = Field(default="waiting", sa_type=AutoString)
    error: str | None = None
    created: datetime = Field(sa_type=Moment)
