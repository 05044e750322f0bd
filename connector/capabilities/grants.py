"""Grants: the short-lived tokens under which a consumer fetches the bytes of one transfer."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from connector.capabilities.evidence import Begin, Clock, NewId
from connector.errors import Unauthenticated
from connector.standards.odrl.boundary import next_boundary_of
from connector.standards.vc import keys as jwk
from connector.standards.vc import tokens
from connector.standards.vc.keys import Key
from connector.storage.tables import Agreement, Transfer

LIFE: Final = timedelta(minutes=5)
"""Longest time that a grant may be presented; the consumer's connector gets fresh ones while the transfer runs."""


class Grant(NamedTuple):
    """What a grant is bound to, and until when it may be presented."""

    transfer: str
    consumer: str
    agreement: str
    dataset: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Grants:
    """Gives and checks grants. A grant permits nothing by itself: the agreement decides at every request.

    Nothing is kept of those that were given. So asking for another is harmless, however often, and one whose answer
    was lost leaves the one before it good until its own end.
    """

    read: Begin
    now: Clock
    new_id: NewId
    participant: str
    key: Key = field(repr=False)

    def give(self, transfer: str, consumer: str) -> str:
        """Return a token with which `consumer` may fetch the data of one transfer.

        It ends after `LIFE`, or earlier at the next instant at which the agreement's policy could change its answer.

        Raises:
            NotFound: there is no such transfer.
        """
        ours, now, expires = self._bounds(transfer)
        claims = tokens.Claims(
            issuer=self.participant,
            audience=self._audience(transfer),
            issued=now,
            expires=expires,
            id=self.new_id(),
            extra={"consumer": consumer, "agreement": ours.agreement, "dataset": ours.dataset},
        )
        return tokens.sign(claims, self.key, jwk.key_id(self.participant, self.key))

    def seconds(self, transfer: str) -> int:
        """Return how long anything that opens the data of a transfer may live from now on; errors as for `give`."""
        _, now, expires = self._bounds(transfer)
        return int((expires - now).total_seconds())

    def check(self, token: str, transfer: str) -> Grant:
        """Return what the grant for `transfer` is bound to.

        Raises:
            Unauthenticated: it is no grant of ours, for another transfer, or out of date.
        """
        # Issuer and judge are one, so no clock differs and nobody needs grace at the end.
        found = tokens.verify(
            token, self.key, issuer=self.participant, audience=self._audience(transfer), now=self.now(), leeway=0
        )
        consumer, agreement, dataset = (found.extra.get(name) for name in ("consumer", "agreement", "dataset"))
        if not (isinstance(consumer, str) and isinstance(agreement, str) and isinstance(dataset, str)):
            raise Unauthenticated("The token is no grant of data.", fix="Use the token of the transfer's data address.")
        return Grant(transfer, consumer, agreement, dataset, found.expires)

    def _bounds(self, transfer: str) -> tuple[Transfer, datetime, datetime]:
        with self.read(self.participant) as work:
            ours = work.need(Transfer, transfer)
            contract = work.need(Agreement, ours.agreement)
        now = self.now()
        boundary = next_boundary_of(contract.policy, now)
        return ours, now, min(now + LIFE, boundary or now + LIFE)

    def _audience(self, transfer: str) -> str:
        # Naming the transfer in the audience keeps a grant from opening any other, and from passing as a peer's token.
        return f"{self.participant}/data/{transfer}"
