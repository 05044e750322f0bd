"""The composition root: settings in, objects wired by hand, a web application out.

`SUBSCRIBERS` is the complete list of who hears what; `Connector` holds the one instance of everything.
"""

import asyncio
import logging
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from socket import socket
from typing import Any, Final, cast

import msgspec
import structlog
from litestar import Litestar
from litestar.config.compression import CompressionConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.types import ControllerRouterHandler, Scope
from msgspec.structs import replace

from connector import errors, formats
from connector.capabilities import negotiations as negotiating
from connector.capabilities import transfers as transferring
from connector.capabilities.agreements import AgreementEnded, Agreements
from connector.capabilities.catalog import Catalog
from connector.capabilities.datasets import DatasetPublished, Datasets, DatasetWithdrawn
from connector.capabilities.delivery import Delivery
from connector.capabilities.drafts import Drafts
from connector.capabilities.evidence import EvidenceBook
from connector.capabilities.federation import CrawlAsked, CrawlDue, Federation
from connector.capabilities.grants import Grants
from connector.capabilities.health import Health, TidyDue
from connector.capabilities.identity import (
    Authenticator,
    Identity,
    PeerDistrusted,
    PeerTrusted,
    Principal,
    installed,
    load_or_create_key,
)
from connector.capabilities.imports import ImportDue, Imports
from connector.capabilities.local import LocalFiles
from connector.capabilities.messenger import TRY_AGAIN, Messenger
from connector.capabilities.moves import Moves
from connector.capabilities.naming import Names
from connector.capabilities.negotiations import Negotiations
from connector.capabilities.notices import (
    NegotiationMessageDue,
    NegotiationMoved,
    NegotiationStepDue,
    PushDue,
    ShelfDue,
    TransferMessageDue,
    TransferMoved,
    TransferStepDue,
)
from connector.capabilities.offers import OfferClosed, OfferMade, Offers
from connector.capabilities.places import Places
from connector.capabilities.publication import Publication
from connector.capabilities.pushing import Pushes
from connector.capabilities.quality import AddressesDue, Quality
from connector.capabilities.search import Search
from connector.capabilities.transfers import Transfers
from connector.capabilities.validation import Validation
from connector.network import Egress, Network
from connector.settings import Settings
from connector.standards.dcat import model
from connector.standards.dcat.shacl.report import Report
from connector.standards.s3 import Bucket as S3Bucket
from connector.standards.vc import tokens
from connector.storage.events import DeliveryFailed, Event, EvidenceRecorded
from connector.storage.index import Index
from connector.storage.lane import Lane, Reaction
from connector.storage.ledger import Ledger, SignatureCheck, Signer, verify
from connector.storage.objects import Objects
from connector.storage.outbox import Handler, Outbox
from connector.storage.sparql import Limits, QueryPool
from connector.storage.triples import Triples
from connector.storage.work import Database
from connector.web import data, drafting, dsp, importing, problems
from connector.web.auth import principal_of
from connector.web.bodies import BoundedBodies
from connector.web.routes import ROUTES
from connector.web.worker import desk

SUBSCRIBERS: Final[Mapping[type[Event], tuple[str, ...]]] = {
    DatasetPublished: ("search.project",),
    DatasetWithdrawn: ("search.project",),
    OfferMade: ("search.project",),
    OfferClosed: ("search.project",),
    NegotiationMoved: ("negotiations.react",),
    NegotiationMessageDue: ("negotiations.send",),
    NegotiationStepDue: ("negotiations.act",),
    TransferMoved: ("transfers.react",),
    TransferMessageDue: ("transfers.send",),
    TransferStepDue: ("transfers.act",),
    PushDue: ("pushes.push",),
    ShelfDue: ("pushes.clear",),
    AgreementEnded: ("transfers.end",),
    PeerTrusted: ("federation.schedule",),
    PeerDistrusted: ("federation.forget",),
    CrawlAsked: ("federation.crawl",),
    CrawlDue: ("federation.crawl", "federation.schedule"),
    EvidenceRecorded: ("evidence.seal",),
    AddressesDue: ("quality.check",),
    ImportDue: ("imports.run",),
    TidyDue: ("health.tidy",),
    DeliveryFailed: ("negotiations.undelivered", "transfers.undelivered", "pushes.failed", "federation.failed"),
}

LEASE: Final = timedelta(seconds=5)
"""After how long the deliveries of a killed process are taken up again."""

REACTIONS: Final = ("negotiations.react", "transfers.react")
"""Subscribers that hear what a peer's message led to in the transaction of the message."""

SEALING_RESTS: Final = 0.25
"""Seconds between two sealings: the next one will do for all that is recorded meanwhile."""

HARMLESS: Final = re.compile(r"PATH|LANG|LC_\w+|TZ|TMPDIR|PYTHON\w*")
"""Variables of the environment that the data worker is given; others may hold passwords."""

KEY_FILE: Final = "key.json"
VERSION: Final = metadata.version("greendeal-connector")


def now() -> datetime:
    """Return the present moment; the only clock of the program."""
    return datetime.now(UTC)


_FREE: Final = (1 << 80) - 1 & ~(0xF000 << 64 | 0xC000 << 48)
_VERSION_7: Final = 0x7000 << 64 | 0x8000 << 48  # RFC 9562 §5.7; the library's own object costs more than the rest


def new_id() -> str:
    """Return a fresh id; the only source of them. It begins with the time, so that a commit writes few pages."""
    number = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10)) & _FREE | _VERSION_7
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@dataclass(frozen=True, slots=True)
class Connector:
    """One instance of everything a connector is made of."""

    settings: Settings
    database: Database
    network: Network
    triples: Triples
    pool: QueryPool
    objects: Objects
    outbox: Outbox
    lane: Lane
    identity: Identity
    evidence: EvidenceBook
    validation: Validation
    datasets: Datasets
    drafts: Drafts
    imports: Imports
    quality: Quality
    local: LocalFiles
    offers: Offers
    agreements: Agreements
    negotiations: Negotiations
    transfers: Transfers
    delivery: Delivery
    pushes: Pushes
    catalog: Catalog
    search: Search
    federation: Federation
    health: Health

    @property
    def address(self) -> str:
        """The base of our protocol endpoints, as peers know it."""
        return self.settings.public_url + dsp.PATH

    def close(self) -> None:
        """Let go of files and processes."""
        self.lane.close()
        self.validation.close()
        self.pool.close()
        self.triples.close()
        self.database.close()


def open_database(settings: Settings) -> Database:
    """Return the database, brought to this version's schema."""
    database = Database(settings.database_url, SUBSCRIBERS, now, new_id)
    database.upgrade()
    return database


def open_network(settings: Settings) -> Network:
    """Return the one way out."""
    return Network(Egress(**msgspec.structs.asdict(settings.outbound)))


def open_identity(
    settings: Settings,
    database: Database,
    network: Network | None = None,
    authenticators: Sequence[Authenticator] | None = None,
) -> Identity:
    """Return our identity; the key is made at the first start.

    `authenticators` are asked for proofs, inbound and outbound, in the place of the installed ones.
    """
    network = network or open_network(settings)
    return Identity(
        begin=database.begin,
        read=database.read,
        now=now,
        new_id=new_id,
        participant=settings.participant,
        key=load_or_create_key(settings.folder / KEY_FILE),
        check_url=network.check_url,
        authenticators=installed() if authenticators is None else tuple(authenticators),
    )


def sign_heads(identity: Identity) -> Signer:
    """Return what signs the heads of our ledger: our key, which does not lie in the database."""
    return lambda text: identity.sign({"ledger": text.decode()})


def check_heads(identity: Identity) -> SignatureCheck:
    """Return what tells whether the signature of a ledger's head is ours."""

    def check(text: bytes, signature: str) -> bool:
        with suppress(errors.InvalidInput):
            tokens.verify_document({"ledger": text.decode()}, signature, identity.key)
            return True
        return False

    return check


def build(
    settings: Settings,
    *,
    authenticators: Sequence[Authenticator] | None = None,
    passing: frozenset[int] = TRY_AGAIN,
) -> Connector:
    """Wire a connector by hand.

    Args:
        settings: what the operator chose.
        authenticators: proofs of identity, inbound and outbound, in the place of the installed ones.
        passing: 4xx answers of peers after which the same message may succeed later.
    """
    me, folder = settings.participant, settings.folder
    network, database = open_network(settings), open_database(settings)
    begin, read = database.begin, database.read
    identity = open_identity(settings, database, network, authenticators)
    messenger = Messenger(network, identity.prove, passing)
    address, check_url = settings.public_url + dsp.PATH, network.check_url
    objects, triples = Objects(folder / "objects"), Triples.open_or_reset(folder / "triples")
    records = _records(settings, database, network, objects)
    pool = QueryPool(triples, size=settings.reading.sparql_workers)
    grants, ledger = Grants(read, now, new_id, me, identity.key), Ledger(database, now, sign_heads(identity))
    evidence = EvidenceBook(read, ledger, lambda: verify(database, me, check=check_heads(identity)), me)
    agreements = Agreements(begin, read, now, new_id, me, identity.sign)
    moves, about_terms = Moves(now, new_id, me, agreements), negotiating.letters(begin, now, messenger)
    negotiations = Negotiations(begin, read, now, new_id, me, address, moves, about_terms, check_url)
    places, about_data = _places(settings, grants, network), transferring.letters(begin, now, messenger)
    transfers = Transfers(begin, read, now, new_id, me, address, places, about_data, lambda ours: pushes.stage(ours))  # noqa: PLW0108 - the pushes come below
    delivery = Delivery(read, now, me, objects, grants.check)
    pushes = Pushes(begin, read, now, me, delivery, transfers, network, places)
    finder = Search(begin, read, me, triples, Index(database), pool, Limits(seconds=settings.reading.sparql_seconds))
    federation = Federation(begin, read, now, me, messenger, _crawls(settings))
    validation: Validation = records["validation"]
    checks = {"database": identity.peers, "triples": triples.sequence}
    chores = (identity.purge, records["quality"].schedule)
    health = Health(begin, read, now, me, lambda *it: outbox.revive(*it), checks, chores, validation.counts)  # noqa: PLW0108 - the outbox comes below
    parts = {**records, "evidence": evidence, "federation": federation, "health": health, "search": finder}
    parts |= {"negotiations": negotiations, "pushes": pushes, "transfers": transfers}
    handlers = _handlers(parts)
    outbox = Outbox(database, handlers, now, lease=LEASE, rests={"evidence.seal": SEALING_RESTS})
    return Connector(
        settings=settings,
        database=database,
        network=network,
        triples=triples,
        pool=pool,
        objects=objects,
        outbox=outbox,
        lane=Lane(database, {name: cast("Reaction", handlers[name]) for name in REACTIONS}),
        identity=identity,
        agreements=agreements,
        delivery=delivery,
        **parts,
    )


def _crawls(settings: Settings) -> timedelta | None:
    seconds = settings.federation.crawl_seconds
    return timedelta(seconds=seconds) if seconds else None


def _records(settings: Settings, database: Database, network: Network, objects: Objects) -> dict[str, Any]:
    """Return what looks after our own records and shows them, by its names in `Connector`."""
    me, begin, read, given = settings.participant, database.begin, database.read, settings.publishing
    publication = Publication(Names(given.base.rstrip("/") or settings.home, settings.home), me)
    period = timedelta(days=given.check_days) if given.check_days else None
    iri, address = f"{settings.public_url}/catalog", settings.public_url + dsp.PATH
    quality = Quality(begin, read, now, me, settings.home, iri, network, period)
    validation = Validation.open(settings.folder, **msgspec.structs.asdict(settings.validation))
    datasets = Datasets(begin, read, now, me, settings.name, objects, _describe, publication, quality, validation.check)
    return {
        "datasets": datasets,
        "drafts": Drafts(begin, read, now, new_id, me, datasets),
        "imports": Imports(begin, read, now, me, objects, datasets, settings.folder / "imports"),
        "quality": quality,
        "validation": validation,
        "local": _local(settings),
        "offers": Offers(begin, read, now, me),
        "catalog": Catalog(begin, read, me, settings.name, settings.about, iri, address, publication),
    }


def _places(settings: Settings, grants: Grants, network: Network) -> Places:
    bucket = S3Bucket(**msgspec.structs.asdict(settings.bucket)) if settings.bucket.name else None
    address, data_address = settings.public_url + dsp.PATH, settings.data_url + data.PATH
    return Places(address, data_address, grants.give, network.check_url, now, grants.seconds, bucket)


def _handlers(parts: Mapping[str, object]) -> dict[str, Handler]:
    """Return who is meant by each name in `SUBSCRIBERS`: a part, a point, and what it does."""
    names = {name for each in SUBSCRIBERS.values() for name in each}
    return {name: getattr(parts[part], act) for name in names for part, act in (name.split("."),)}


def open_data_door(settings: Settings) -> tuple[Settings, socket | None]:
    """Return where the data worker will answer, if there is to be one, and the settings with its port.

    Raises:
        InvalidInput: the port is taken.
    """
    if not settings.has_data_worker:
        return settings, None
    door = desk.listen(settings.data_host, settings.data.port)
    port = door.getsockname()[1]
    return replace(settings, data=replace(settings.data, port=port)), door


@contextmanager
def data_worker(connector: Connector, door: socket | None, environment: Mapping[str, str]) -> Iterator[None]:
    """Keep a data worker running at `door` for as long as the block runs; without a door, none."""
    if door is None:
        yield
        return
    given = connector.settings.data
    options = [f"--{name}={text}" for name, text in (("certificate", given.certificate), ("key", given.key)) if text]
    harmless = {name: text for name, text in environment.items() if HARMLESS.fullmatch(name)}
    with closing(desk.Desk(connector.delivery, door, harmless, options)) as served:
        served.open()
        yield


def web(connector: Connector, *, routes: Sequence[ControllerRouterHandler] = ()) -> Litestar:
    """Return the web application around a connector; while it serves, the outbox delivers.

    `routes` are served beside the product's own; they state their guards themselves.
    """
    settings = connector.settings

    @asynccontextmanager
    async def running(_: Litestar) -> AsyncIterator[None]:
        stop = asyncio.Event()
        await asyncio.to_thread(_prepare, connector)
        delivering = asyncio.create_task(connector.outbox.run(stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(delivering, return_exceptions=True)
            await connector.network.close()
            await asyncio.to_thread(connector.close)

    handlers: Any = {
        errors.Refusal: problems.refused,
        HTTPException: problems.refused_by_framework,
        Exception: problems.failed,
    }
    return Litestar(
        route_handlers=[*ROUTES, *routes],
        dependencies=_dependencies(connector),
        exception_handlers=handlers,
        lifespan=[running],
        openapi_config=OpenAPIConfig(title=f"{settings.name}: connector", version=VERSION, path="/api/schema"),
        compression_config=CompressionConfig(backend="gzip", exclude=[data.PATH, dsp.PATH]),
        middleware=[DefineMiddleware(BoundedBodies, messages=dsp.PATH, streamed=(drafting.UPLOADS, importing.PATH))],
        request_max_body_size=None,
        type_encoders={Report: Report.document},
        state=State(
            {
                "identity": connector.identity,
                "catalog": connector.catalog,
                "lane": connector.lane,
                "negotiations": connector.negotiations,
                "transfers": connector.transfers,
                "reading_open": settings.reading.open,
            }
        ),
        logging_config=None,
    )


def _dependencies(connector: Connector) -> dict[str, Provide]:
    """Return what handlers may ask for by name; each is the one instance of the connector."""
    kept = (
        field.name for field in fields(connector) if field.name not in {"settings", "network", "outbox", "lane", "pool"}
    )
    found = {name: Provide(_constant(getattr(connector, name)), sync_to_thread=False) for name in (*kept, "address")}
    found["upload_bytes"] = Provide(_constant(connector.settings.storage.upload_bytes), sync_to_thread=False)
    found["accel"] = Provide(_constant(connector.settings.data.accel), sync_to_thread=False)
    found["by"] = Provide(_by, sync_to_thread=False)
    found["peer"] = Provide(_peer, sync_to_thread=False)
    return found


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def _by(scope: Scope) -> Principal:
    return principal_of(scope)


def _peer(scope: Scope) -> Principal:
    return principal_of(scope)


def _prepare(connector: Connector) -> None:
    """Do what has to be done before the first request: half-written files, projections that were lost, the timers."""
    connector.objects.sweep()
    if connector.triples.needs_reindex:
        connector.search.reindex()
    while connector.catalog.renew():
        pass
    connector.health.wind_up()


def _describe(path: Path, filename: str) -> formats.Description:
    return formats.describe(path, filename=filename)


def _local(settings: Settings) -> LocalFiles:
    """Return the files of this machine that a provider may name, by the folders that the operator opened."""
    us = model.Agent(id=settings.participant, name={"en": settings.name})
    folders = tuple(settings.folder / each for each in settings.drafting.folders)
    home = f"{settings.public_url}/datasets"
    return LocalFiles(folders, home, us, lambda path, told: formats.describe(path, progress=told))


SECRET: Final = re.compile(r"(?i)authorization|token|secret|password|assertion|signature|api.?key")
TOKEN: Final = re.compile(r"gdc_[\w-]+|eyJ[\w-]+\.[\w-]*\.[\w-]*")


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Take out of a log line what would open a door, by the name of its field or by its form."""
    return {
        key: "[redacted]" if SECRET.search(key) else TOKEN.sub("[redacted]", value) if isinstance(value, str) else value
        for key, value in event.items()
    }


def configure_logging(level: str) -> None:
    """Log JSON lines to standard error, without secrets."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
