"""One connector under test and one counterparty for a file of cases."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from sqlmodel import col

from connector.storage.tables import OutboxRow
from tests.conformance import under_test

pytest.register_assert_rewrite("tests.conformance.counterparty")

from tests.conformance.counterparty import Counterparty  # noqa: E402 - its assertions are to say what they found

AFTER = 0.02
"""Seconds before each own step of the connector: this counterparty is ready for it at any time."""


@dataclass
class World:
    """A connector under test that serves, and who speaks to it."""

    made: under_test.UnderTest
    url: str
    counterparty: Counterparty

    def still(self, pid: str) -> None:
        """Return when the connector has nothing left to do about a process, not even later."""
        end = time.monotonic() + 20
        while self._waiting(pid):
            assert time.monotonic() < end, f"something still waits to be done about {pid}"
            threading.Event().wait(0.005)

    def _waiting(self, pid: str) -> int:
        # A look at a peer that takes a message without a word, as this one does, comes a second later and says nothing.
        with self.made.connector.database.read(under_test.PARTICIPANT) as work:
            return sum(not row.body.get("doubt") for row in work.select(OutboxRow, col(OutboxRow.subject) == pid))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Serve a connector under test over HTTP, with a counterparty that it knows."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        made = under_test.build(tmp_path_factory.mktemp("under-test"), port, "http://127.0.0.1:9", after=AFTER)
        config = uvicorn.Config(made.web(), log_level="error", access_log=False, timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive(), "the connector did not start"
        url = f"http://127.0.0.1:{port}"
        names = under_test.KIT, under_test.PARTICIPANT, under_test.AUTHORIZATION
        counterparty = Counterparty(made.connector.address, *names, url)
        try:
            yield World(made, url, counterparty)
        finally:
            counterparty.close()
            server.should_exit = True
            thread.join(20)
