"""Own API for who runs the connector: peers, keys, health, metrics, evidence, what could not be delivered."""

import asyncio
from typing import Any

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_503_SERVICE_UNAVAILABLE

from connector.capabilities.evidence import EvidenceBook
from connector.capabilities.federation import Federation
from connector.capabilities.health import Health
from connector.capabilities.identity import Identity
from connector.capabilities.search import Search
from connector.web.auth import needs
from connector.web.given import By, Given
from connector.web.views import shown

Json = dict[str, Any]


class NewPeer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another connector to trust: its `keys` are a JWK Set, its `address` the base of its protocol endpoints."""

    participant: str
    name: str
    address: str
    keys: Json
    country: str | None = None


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which thing is meant."""

    id: str


class PeerController(Controller):
    """Whom we trust, and the copies of their catalogs."""

    path = "/api/peers"
    tags = ("peers",)

    @get(guards=[needs()], sync_to_thread=True)
    def all(self, identity: Given[Identity]) -> list[Json]:
        """List the peers with the state of our copy of their catalogs."""
        return [shown(row) for row in identity.peers()]

    @post(status_code=HTTP_200_OK, guards=[needs("admin")], sync_to_thread=True)
    def trust(self, data: JSONBody[NewPeer], identity: Given[Identity], by: By) -> Json:
        """Trust a peer, or know it under new keys or a new address."""
        made = identity.trust(
            data.participant, name=data.name, address=data.address, keys=data.keys, country=data.country, by=by.name
        )
        return shown(made)

    @post("/distrust", status_code=HTTP_200_OK, guards=[needs("admin")], sync_to_thread=True)
    def distrust(self, data: JSONBody[Key], identity: Given[Identity], by: By) -> Json:
        """Trust a peer no longer."""
        identity.distrust(data.id, by=by.name)
        return {"id": data.id}

    @post("/crawl", status_code=HTTP_200_OK, guards=[needs("consumer", "admin")], sync_to_thread=True)
    def crawl(self, data: JSONBody[Key], federation: Given[Federation], by: By) -> Json:
        """Renew the copy of a peer's catalog; its state is in the list of peers."""
        return shown(federation.ask(data.id, by))


class OperationController(Controller):
    """The state of this connector."""

    path = "/api"
    tags = ("operations",)

    @get("/identity", guards=[needs()], sync_to_thread=True)
    def identity(self, identity: Given[Identity], address: Given[str]) -> Json:
        """Show who we are, as peers need it to trust us."""
        return {"participant": identity.participant, "address": address, "keys": identity.public_keys()}

    @get("/ledger", guards=[needs()], sync_to_thread=True)
    def ledger(self, evidence: Given[EvidenceBook]) -> Json:
        """Check the whole chain of evidence."""
        return msgspec.to_builtins(evidence.verify())  # type: ignore[no-any-return]

    @get("/evidence", guards=[needs()], sync_to_thread=True)
    def evidence(self, evidence: Given[EvidenceBook], subject: FromQuery[str]) -> list[Json]:
        """Show everything recorded about one thing, in order; `subject` is its id."""
        return [shown(row) for row in evidence.about(subject)]

    @post("/reindex", status_code=HTTP_200_OK, guards=[needs("admin")])
    async def reindex(self, search: Given[Search]) -> Json:
        """Make search index and RDF store anew from the records."""
        return {"records": await asyncio.to_thread(search.reindex)}

    @get("/failures", guards=[needs()], sync_to_thread=True)
    def failures(self, health: Given[Health]) -> list[Json]:
        """List the events that could not be delivered, with the reason."""
        return [shown(row) for row in health.failures()]

    @get("/waiting", guards=[needs()], sync_to_thread=True)
    def waiting(self, health: Given[Health]) -> list[Json]:
        """List the events that are due and not delivered yet, with what went wrong so far."""
        return [shown(row) for row in health.waiting()]

    @post("/failures/{row:int}/retry", status_code=HTTP_200_OK, guards=[needs("admin")], sync_to_thread=True)
    def retry(self, row: FromPath[int], health: Given[Health]) -> Json:
        """Deliver such an event again."""
        health.retry(row)
        return {"id": row}


@get("/livez", sync_to_thread=False)
def livez() -> Response[bytes]:
    """Say that the process runs."""
    return Response(b'{"status":"alive"}', media_type="application/json")


@get("/readyz", sync_to_thread=True)
def readyz(health: Given[Health]) -> Response[Json]:
    """Say whether every part works, part by part."""
    parts = health.parts()
    ready = all(state == "ok" for state in parts.values())
    status = HTTP_200_OK if ready else HTTP_503_SERVICE_UNAVAILABLE
    return Response({"status": "ready" if ready else "not ready", "parts": parts}, status_code=status)


@get("/metrics", guards=[needs("admin")], sync_to_thread=True)
def metrics(health: Given[Health]) -> Response[str]:
    """Show the figures of this connector in the Prometheus text format."""
    return Response(health.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")
