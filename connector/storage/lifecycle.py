"""The tables of a record's life: versions, series, drafts, imports, what is left of it, how its addresses answer."""

from datetime import datetime
from typing import Literal

from sqlalchemy import Index, LargeBinary
from sqlmodel import AutoString, Field

from connector.storage.rows import Json, JsonObject, Moment, Row

DatasetKind = Literal["dataset", "series"]
TombstoneKind = Literal["withdrawn", "kept", "erased"]
ImportState = Literal["waiting", "running", "done", "failed"]
ImportOutcome = Literal["created", "updated", "same", "invalid"]


class Version(Row, table=True):
    """One version of one of our records, as it was registered; `files` are the files that were behind it."""

    __tablename__ = "dataset_version"

    dataset: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    title: str
    kind: DatasetKind = Field(default="dataset", sa_type=AutoString)
    profile: str
    record: bytes = Field(sa_type=LargeBinary)
    fingerprint: str
    files: list[JsonObject] = Field(default_factory=list, sa_type=Json)
    created: datetime = Field(sa_type=Moment)
    by: str


class Member(Row, table=True):
    """A dataset of ours that says to be in a series; `place` orders the datasets of a series."""

    __tablename__ = "series_member"
    __table_args__ = (Index("series_member_dataset", "participant", "dataset"),)

    series: str = Field(primary_key=True)
    dataset: str = Field(primary_key=True)
    place: str


class Tombstone(Row, table=True):
    """What is said of a dataset that is no more: when it went, why and by whom; its IRI is never given again.

    A withdrawn one may come back, then this row goes. Of a deleted one the record is `kept` or `erased`.
    """

    __tablename__ = "tombstone"

    id: str = Field(primary_key=True)
    kind: TombstoneKind = Field(sa_type=AutoString)
    title: str
    reason: str
    versions: int
    at: datetime = Field(sa_type=Moment)
    by: str


class SavedDraft(Row, table=True):
    """A record in the making, exactly as it was typed; `report` is what was found at its last saving.

    `dataset` is what it describes, as far as that can be told; `published` is the version that came of it.
    """

    __tablename__ = "draft"
    __table_args__ = (Index("draft_updated", "participant", "updated"),)

    id: str = Field(primary_key=True)
    title: str
    dataset: str | None = None
    media_type: str
    content: bytes = Field(sa_type=LargeBinary)
    profile: str
    revision: int = 1
    report: JsonObject = Field(default_factory=dict, sa_type=Json)
    published: int | None = None
    created: datetime = Field(sa_type=Moment)
    updated: datetime = Field(sa_type=Moment)
    by: str


class Import(Row, table=True):
    """The import of a file with many records; `done` of `total` are done, and the rest goes on from there."""

    __tablename__ = "import"
    __table_args__ = (Index("import_started", "participant", "started"),)

    id: str = Field(primary_key=True)
    object: str
    filename: str
    media_type: str
    profile: str
    state: ImportState = Field(default="waiting", sa_type=AutoString)
    total: int | None = None
    done: int = 0
    counts: JsonObject = Field(default_factory=dict, sa_type=Json)
    error: str | None = None
    started: datetime = Field(sa_type=Moment)
    updated: datetime = Field(sa_type=Moment)
    by: str


class ImportResult(Row, table=True):
    """What became of one record of an import; `number` counts from 1 in the order of the file."""

    __tablename__ = "import_result"

    run: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    dataset: str | None = None
    outcome: ImportOutcome = Field(sa_type=AutoString)
    version: int | None = None
    problem: JsonObject | None = Field(default=None, sa_type=Json)


class Address(Row, table=True):
    """An address in one of our records, and how it answered when it was last asked: 0 where it did not."""

    __tablename__ = "address"
    __table_args__ = (Index("address_checked", "participant", "checked"),)

    dataset: str = Field(primary_key=True)
    url: str = Field(primary_key=True)
    code: int | None = None
    error: str | None = None
    checked: datetime | None = Field(default=None, sa_type=Moment)
