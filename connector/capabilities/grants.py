"""Grants: the short-lived tokens under which a consumer fetches the bytes of one transfer."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from connector.capabilities.evidence import Clock, NewId
from connector.errors import Unauthenticated
from connector.standards.vc import keys as jwk
from connector.standards.vc import tokens
from connector.standards.vc.keys import Key

LIFE: Final = timedelta(minutes=10)
"""How long a grant may be presented; the consumer's connector gets a fresh one while the transfer runs."""


@dataclass(frozen=True, slots=True)
class Grants:
    """Gives and checks grants. A grant permits nothing by itself: the agreement decides at every request."""

    now: Clock
    new_id: NewId
    participant: str
    key: Key = field(repr=False)

    def give(self, transfer: str, consumer: str) -> str:
        """Return a token with which `consumer` may fetch the data of one transfer."""
        now = self.now()
        claims = tokens.Claims(
            issuer=self.participant,
            audience=self._audience(transfer),
            issued=now,
            expires=now + LIFE,
            id=self.new_id(),
            extra={"consumer": consumer},
        )
        return tokens.sign(claims, self.key, jwk.key_id(self.participant, self.key))

    def check(self, token: str, transfer: str) -> str:
        """Return the consumer to whom the grant for `transfer` was given.

        Raises:
            Unauthenticated: it is no grant of ours, for another transfer, or out of date.
        """
        found = tokens.verify(
            token, self.key, issuer=self.participant, audience=self._audience(transfer), now=self.now()
        )
        consumer = found.extra.get("consumer")
        if not isinstance(consumer, str):
            raise Unauthenticated("The token is no grant of data.", fix="Use the token of the transfer's data address.")
        return consumer

    def _audience(self, transfer: str) -> str:
        # Naming the transfer in the audience keeps a grant from opening any other, and from passing as a peer's token.
        return f"{self.participant}/data/{transfer}"
