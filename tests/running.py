"""Connectors that really run: each on a port of its own, in a thread of the test's process."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from connector import app, settings
from connector.capabilities.identity import ROLES, Authenticator
from connector.client import Space, connect

GERMANY = "http://publications.europa.eu/resource/authority/country/DEU"


@dataclass(frozen=True)
class Running:
    """A connector that serves, and how to speak to it."""

    connector: app.Connector
    url: str
    api_key: str
    space: Space
    """The SDK, with a key that may do everything."""

    @property
    def participant(self) -> str:
        """Who it is."""
        return self.connector.settings.participant

    @property
    def address(self) -> str:
        """The base of its protocol endpoints."""
        return self.connector.address

    def call(self, method: str, path: str, *, key: str | None = None, **parts: Any) -> httpx2.Response:
        """Call a path with this API key (the operator's unless one is given, none for an empty text)."""
        bearer = self.api_key if key is None else key
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return httpx2.request(method, self.url + path, headers=headers | parts.pop("headers", {}), timeout=30, **parts)

    def say(self, path: str, body: bytes, token: str | None, method: str = "POST") -> httpx2.Response:
        """Send a protocol message as somebody who holds `token`."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        return httpx2.request(method, self.address + path, content=body, headers=headers, timeout=30)


@contextlib.contextmanager
def running(
    folder: Path,
    participant: str,
    name: str,
    database: str = "",
    authenticators: Sequence[Authenticator] | None = None,
    **changes: Any,
) -> Iterator[Running]:
    """Serve a connector on a free port of this machine until the block ends.

    `authenticators` stand in the place of the installed proofs of identity; `changes` are settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        values = {
            "participant": participant,
            "name": name,
            "server": {"port": port},
            "storage": {"database": database},
            "outbound": {"allow_http": True, "allow_loopback": True},
            "federation": {"crawl_seconds": 0},
        }
        connector = app.build(settings.check(values | changes, folder, "test"), authenticators=authenticators)
        made = connector.identity.create_key("operator", ROLES)
        config = uvicorn.Config(app.web(connector), log_level="error", access_log=False, timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            while not server.started:
                thread.join(0.01)
                assert thread.is_alive(), "the connector did not start"
            url = f"http://127.0.0.1:{port}"
            space = connect(url, made.secret, patience=5.0)
            yield Running(connector, url, made.secret, space)
            space.connection.close()
        finally:
            server.should_exit = True
            thread.join(20)


def acquaint(one: Running, other: Running) -> None:
    """Let two connectors trust each other."""
    one.space.trust(other.space.identity(), other.connector.settings.name, GERMANY)
    other.space.trust(one.space.identity(), one.connector.settings.name, GERMANY)


def settled(*connectors: Running, seconds: float = 30.0) -> None:
    """Return when nothing waits to be delivered in any of them; fail when that takes too long.

    What one delivers may be work for another, so all have to be quiet in one look, twice.
    """
    end = time.monotonic() + seconds
    quiet = 0
    while quiet < 2:
        waiting = {each.participant: count for each in connectors if (count := _waiting(each))}
        quiet = 0 if waiting else quiet + 1
        assert time.monotonic() < end, f"events still wait: {waiting}"
        threading.Event().wait(0.01)


def _waiting(each: Running) -> int:
    from sqlmodel import col  # noqa: PLC0415 - beside its one use

    from connector.storage.tables import OutboxRow  # noqa: PLC0415 - as above

    now = app.now()
    with each.connector.database.read(each.participant) as work:
        return work.count(OutboxRow, col(OutboxRow.state) == "waiting", col(OutboxRow.due) <= now)
