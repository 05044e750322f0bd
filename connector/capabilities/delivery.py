"""Delivery: the bytes of a dataset, given under an agreement and held to it at every request and while they flow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlmodel import col

from connector.capabilities.agreements import why_not
from connector.capabilities.evidence import Begin, Clock
from connector.capabilities.offers import facts
from connector.errors import Denied, NotFound, Unauthenticated
from connector.standards.dsp.negotiation import Role
from connector.standards.dsp.transfer import State
from connector.standards.odrl.decide import judge
from connector.storage.objects import Objects
from connector.storage.tables import Agreement, Asset, Peer, Transfer
from connector.storage.work import Work

PIECE: Final = 256 * 1024
"""Bytes read at a time."""

RECHECK_SECONDS: Final = 1.0
"""Longest time that bytes flow without another look at the agreement."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The data side of this participant as provider."""

    read: Begin
    now: Clock
    participant: str
    objects: Objects
    check_grant: Callable[[str, str], str]
    """Takes a token and a transfer's id, returns the consumer the token was given to, or raises Unauthenticated."""

    def assets(self, pid: str, token: str) -> list[Asset]:
        """Return the files of a running transfer.

        Raises:
            Unauthenticated: the token is not for this transfer, or out of date.
            Denied: the agreement or its policy does not permit it now; the reasons say why.
        """
        consumer = self.check_grant(token, pid)
        with self.read(self.participant) as work:
            transfer = self._permitted(work, pid, consumer)
            return work.select(Asset, col(Asset.dataset) == transfer.dataset, order_by=col(Asset.filename))

    def open(self, pid: str, token: str, filename: str | None = None) -> tuple[Asset, Path]:
        """Return one file of a running transfer and where it lies; errors as for `assets`.

        Raises:
            NotFound: the dataset has no file of that name, or several and none was named.
        """
        found = self.assets(pid, token)
        wanted = [asset for asset in found if filename in {None, asset.filename}]
        if len(wanted) != 1:
            raise NotFound("file", filename or f"of the transfer {pid}, which has {len(found)}: name one")
        return wanted[0], self.objects.path(wanted[0].object)

    def stream(self, pid: str, token: str, path: Path, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to and without `end`, looking at the agreement again while they flow.

        Raises:
            Denied: the agreement ended or its policy stopped permitting the use; nothing more is given.
        """
        consumer, checked = self.check_grant(token, pid), self.now()
        with path.open("rb") as file:
            file.seek(start)
            while start < end and (piece := file.read(min(PIECE, end - start))):
                start += len(piece)
                yield piece
                if (self.now() - checked).total_seconds() >= RECHECK_SECONDS:
                    with self.read(self.participant) as work:
                        self._permitted(work, pid, consumer)
                    checked = self.now()

    def _permitted(self, work: Work, pid: str, consumer: str) -> Transfer:
        """Return the transfer if its agreement permits the use that was started with it, now."""
        transfer = work.find(Transfer, pid)
        if transfer is None or transfer.peer != consumer or transfer.role != Role.PROVIDER:
            raise Unauthenticated("The token is for no transfer of this provider.")
        contract = work.need(Agreement, transfer.agreement)
        if contract.state != "active":
            raise Denied(why_not(contract), fix="Negotiate a new agreement.")
        if transfer.state != State.STARTED:
            raise Denied(f"The transfer is {transfer.state}, not STARTED.", fix="Request a new transfer.")
        peer = work.find(Peer, consumer)
        if peer is None:
            raise Denied(f"{consumer} is trusted no longer.", fix="Ask the operator of this connector.")
        # The use was counted when the transfer started, so it is the last of those counted.
        known = facts(self.now(), peer, consumer, contract.claims, contract.uses)
        decision = judge(contract.policy, "use", known)
        if not decision.permitted:
            raise Denied("The agreement's policy does not permit this use now.", reasons=decision.reasons)
        return transfer
