"""The connector that the conformance kit talks to: the product, composed with what only a test may have.

Beside the product's own wiring it has seeds, a proof of identity that is one fixed header, and two routes that make
it act as consumer. Nothing of this is part of the distribution, and no setting leads here: a connector that is
served by `greendeal serve` cannot have it.

    python -m tests.conformance.under_test --folder DIR --port 8101 --kit http://127.0.0.1:8102
"""

import argparse
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import uvicorn
from litestar import Litestar, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import RawBody
from litestar.status_codes import HTTP_200_OK

from connector import app, settings
from connector.capabilities.identity import Context, Principal
from connector.capabilities.messenger import TRY_AGAIN
from connector.capabilities.negotiations import Negotiations
from connector.capabilities.transfers import Transfers
from connector.errors import Unauthenticated
from connector.standards.odrl import intake
from connector.storage.tables import Agreement, Asset, Dataset, Negotiation, Offer, Peer
from connector.storage.work import Work
from connector.web.auth import peer_only
from connector.web.given import Given
from tests.conformance.cases import CASES, GIVEN, MISSING, NAMES, Case, offer_from, offer_of

PARTICIPANT: Final = "did:web:under-test.example"
KIT: Final = "TCK_PARTICIPANT"
"""What the kit calls itself; it is no IRI, so nobody could trust it through the API."""
AUTHORIZATION: Final = "Bearer conformance"
NEGOTIATE: Final = "/tck/negotiations/requests"
TRANSFER: Final = "/tck/transfers/requests"

NOT_YET: Final = 404
"""The kit answers so to a message that it will take a moment later; to everybody else it is final."""

MOMENT: Final = datetime(2026, 1, 1, tzinfo=UTC)
TERMS: Final[dict[str, Any]] = {"permission": [{"action": "use"}]}
US: Final = Principal(PARTICIPANT, "user", frozenset({"admin"}), "conformance")


@dataclass(frozen=True)
class FixedHeader:
    """Proof by one `Authorization` header that everybody knows, both ways: whoever shows it is the kit."""

    authorization: str
    participant: str = KIT

    def authenticate(self, authorization: str, context: Context) -> Principal:  # noqa: ARG002 - the plug point's form
        """Return the kit, or raise Unauthenticated."""
        if not hmac.compare_digest(authorization.encode(), self.authorization.encode()):
            raise Unauthenticated("This is not the header of the test.")
        return Principal(self.participant, "peer", frozenset(), self.participant)

    def prove(self, peer: str, context: Context) -> str:  # noqa: ARG002 - the plug point's form
        """Return the header."""
        return self.authorization


class AskedToNegotiate(msgspec.Struct, rename="camel"):
    """The kit wants us to request a contract from it."""

    provider_id: str
    offer_id: str
    dataset_id: str
    connector_address: str


class AskedToTransfer(msgspec.Struct, rename="camel"):
    """The kit wants us to request a transfer from it."""

    provider_id: str
    agreement_id: str
    format: str
    connector_address: str


@dataclass(frozen=True)
class UnderTest:
    """A connector with the seeds of every case.

    Attributes:
        connector: the product's own.
        after: seconds that it waits before each message that nobody asked it for.
    """

    connector: app.Connector
    after: float

    def web(self) -> Litestar:
        """Return the product's web application with the two routes that make it act as consumer."""
        return app.web(self.connector, routes=self._routes())

    def _routes(self) -> Sequence[HTTPRouteHandler]:
        scripts = {case.seed: case.script(self.after) for case in CASES}

        @post(NEGOTIATE, status_code=HTTP_200_OK, guards=[peer_only], sync_to_thread=True)
        def negotiate(body: RawBody, negotiations: Given[Negotiations]) -> None:
            """Request a contract on an offer of the kit."""
            asked = msgspec.json.decode(body, type=AskedToNegotiate)
            self._move_to(asked.provider_id, asked.connector_address)
            negotiations.request(
                asked.provider_id,
                asked.dataset_id,
                asked.offer_id,
                {},
                "any",
                US,
                rule="scripted",
                script=scripts[asked.dataset_id],
            )

        @post(TRANSFER, status_code=HTTP_200_OK, guards=[peer_only], sync_to_thread=True)
        def transfer(body: RawBody, transfers: Given[Transfers]) -> None:
            """Request the data of an agreement with the kit."""
            asked = msgspec.json.decode(body, type=AskedToTransfer)
            self._move_to(asked.provider_id, asked.connector_address)
            transfers.request(asked.agreement_id, US)

        return (negotiate, transfer)

    def _move_to(self, participant: str, address: str) -> None:
        with self.connector.database.begin(PARTICIPANT) as work:
            work.need(Peer, participant, lock=True).address = address


def build(folder: Path, port: int, kit: str, *, after: float, authorization: str = AUTHORIZATION) -> UnderTest:
    """Wire a connector in an empty folder and seed it.

    Args:
        folder: its data folder.
        port: where it will be served, on this machine.
        kit: where the counterparty listens.
        after: seconds that it waits before each message that nobody asked it for.
        authorization: the header that the counterparty shows and is shown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tree = {
        "participant": PARTICIPANT,
        "name": "A connector under test",
        "server": {"port": port},
        "outbound": {"allow_http": True, "allow_loopback": True},
        "federation": {"crawl_seconds": 0},
    }
    connector = app.build(
        settings.check(tree, folder, "the connector under test"),
        authenticators=(FixedHeader(authorization),),
        passing=TRY_AGAIN | {NOT_YET},
    )
    # The kit's names are no IRIs, so what is seeded must stay out of search: nothing is left for it to catch up with.
    connector.search.reindex()
    with connector.database.begin(PARTICIPANT) as work:
        work.add(Peer(participant=PARTICIPANT, id=KIT, name="The conformance kit", address=kit))
        file, size = connector.objects.put([b"month,rain\n1,80\n"])
        for case in CASES:
            _seed(work, case, after, file, size)
    return UnderTest(connector, after)


def _seed(work: Work, case: Case, after: float, file: str, size: int) -> None:
    """Write what a case takes for granted."""
    script = case.script(after)
    match case.group:
        case "CAT" if case.seed != MISSING:
            _our_dataset(work, case.seed, [], file, size)
        case "CN":
            _our_dataset(work, case.seed, script, file, size)
        case "CN_C":
            _their_dataset(work, case.seed)
        case "TP":
            _our_dataset(work, dataset_of(case), [], file, size)
            _agreement(work, case, PARTICIPANT, KIT, script)
        case "TP_C":
            _agreement(work, case, KIT, PARTICIPANT, script)


def dataset_of(case: Case) -> str:
    """Return the id of the dataset of an agreement."""
    return f"{NAMES}dataset-of-{case.seed}"


def _dataset(origin: str, key: str, **more: Any) -> Dataset:
    record = f'<{key}> <http://purl.org/dc/terms/title> "{key}"@en .\n'.encode()
    values: dict[str, Any] = {"title": key, "profile": "dcat-ap", "record": record, "fingerprint": key}
    values["created"] = MOMENT
    return Dataset(participant=PARTICIPANT, origin=origin, id=key, updated=MOMENT, **values, **more)


def _our_dataset(work: Work, key: str, script: list[dict[str, Any]], file: str, size: int) -> None:
    offer = offer_of(key)
    asset: dict[str, Any] = {"object": file, "filename": "rain.csv", "media_type": "text/csv", "size": size}
    work.add(_dataset(PARTICIPANT, key))
    if key != GIVEN:
        work.add(Asset(participant=PARTICIPANT, dataset=key, distribution=f"{key}#file", **asset))
    work.add(
        Offer(
            participant=PARTICIPANT,
            id=offer,
            dataset=key,
            policy={**TERMS, "@id": offer, "@type": "Offer", "assigner": PARTICIPANT},
            fingerprint=intake.fingerprint(TERMS),
            automation="scripted",
            script=script,
            created=MOMENT,
        )
    )


def _their_dataset(work: Work, key: str) -> None:
    offer = {**TERMS, "@id": offer_from(key), "@type": "Offer"}
    work.add(_dataset(KIT, key, offers=[offer], formats=["HttpData-PULL"]))


def _agreement(work: Work, case: Case, provider: str, consumer: str, script: list[dict[str, Any]]) -> None:
    """Write a finalized negotiation between us and the kit, and its agreement."""
    key, dataset = case.seed, dataset_of(case)
    parties = {"assigner": provider, "assignee": consumer, "timestamp": "2026-01-01T00:00:00Z"}
    terms = {**TERMS, **parties, "@id": key, "@type": "Agreement", "target": dataset}
    shared: dict[str, Any] = {
        "participant": PARTICIPANT,
        "role": str(case.role),
        "peer": KIT,
        "dataset": dataset,
        "created": MOMENT,
    }
    work.add(
        Negotiation(
            **shared,
            pid=f"negotiation-of-{key}",
            peer_pid=f"theirs-of-{key}",
            callback="",
            state="FINALIZED",
            offer_id=offer_of(dataset),
            policy={**TERMS, "@id": offer_of(dataset), "@type": "Offer", "target": dataset},
            agreement_id=key,
            updated=MOMENT,
        )
    )
    work.add(
        Agreement(
            **shared,
            id=key,
            negotiation=f"negotiation-of-{key}",
            policy=terms,
            state="active",
            automation="scripted",
            script=script,
        )
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve a connector under test until it is stopped."""
    parser = argparse.ArgumentParser(description="Serve a connector for the conformance kit, in an empty folder.")
    parser.add_argument("--folder", type=Path, required=True, help="its data folder")
    parser.add_argument("--port", type=int, required=True, help="where it listens, on this machine")
    parser.add_argument("--kit", required=True, help="where the kit listens")
    parser.add_argument("--after", type=float, default=0.2, help="seconds before each of its own steps")
    given = parser.parse_args(arguments)
    app.configure_logging("info")
    made = build(given.folder, given.port, given.kit, after=given.after)
    uvicorn.run(made.web(), host="127.0.0.1", port=given.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
