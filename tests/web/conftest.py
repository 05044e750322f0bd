"""One connector that serves, with a dataset and an offer, and a peer that it trusts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from connector import app
from connector.capabilities.identity import new_key
from connector.standards.vc import keys, tokens
from connector.standards.vc.keys import Key
from tests.journeys.conftest import FILE
from tests.running import Running, running, settled

PEER = "did:web:peer.example"
OTHER = "did:web:other.example"
STRANGER = "did:web:stranger.example"


@dataclass
class House:
    """The connector under test and who comes to its door."""

    running: Running
    dataset: str
    offer: dict[str, Any]
    keys: dict[str, Key]

    def token(self, who: str = PEER, *, audience: str | None = None, key: Key | None = None, age: int = 0) -> str:
        """Return a fresh token of a participant; `age` in seconds makes it an old one."""
        issued = app.now() - timedelta(seconds=age)
        claims = tokens.Claims(
            issuer=who,
            audience=audience or self.running.participant,
            issued=issued,
            expires=issued + timedelta(seconds=300),
            id=app.new_id(),
        )
        key = key or self.keys[who]
        return tokens.sign(claims, key, keys.key_id(who, key))

    def key_with(self, *roles: str) -> str:
        """Return an API key with exactly these roles."""
        return self.running.connector.identity.create_key("-".join(roles), roles).secret


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a connector with one published dataset."""
    folder = tmp_path_factory.mktemp("house")
    with running(folder, "did:web:house.example", "The house") as served:
        space = served.space
        dataset = space.register(space.draft(FILE).record)["id"]
        offer = space.offer(dataset, template="open", automation="accept")
        known = {who: new_key() for who in (PEER, OTHER, STRANGER)}
        for who in (PEER, OTHER):
            public = {"keys": [keys.public_jwk(who, known[who])]}
            address = f"{served.url}/nobody"
            served.connector.identity.trust(who, "A peer", address, public)
        settled(served)
        yield House(served, dataset, offer, known)
