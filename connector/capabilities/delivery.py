"""Delivery: the bytes of a dataset, given under an agreement and held to it at every request and while they flow."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final, NamedTuple

from sqlmodel import col

from connector.capabilities.agreements import why_not
from connector.capabilities.evidence import Begin, Clock
from connector.capabilities.grants import Grant
from connector.capabilities.offers import facts
from connector.errors import Denied, NotFound, Unauthenticated
from connector.standards.dsp.negotiation import Role
from connector.standards.dsp.transfer import State
from connector.standards.odrl.decide import judge
from connector.standards.ranges import File
from connector.storage.objects import Objects
from connector.storage.tables import Agreement, Asset, Peer, Transfer
from connector.storage.work import Work

PIECE: Final = 256 * 1024
"""Bytes read at a time."""

RECHECK_SECONDS: Final = 0.5
"""Longest time that bytes flow without another look at the agreement; nothing is given a second after its end."""


class Opened(NamedTuple):
    """A file of a running transfer, open for reading; it stays what it is even if its name is given to another."""

    grant: Grant
    checked: datetime
    """When the agreement was looked at."""
    file: File
    source: BinaryIO


@dataclass(frozen=True, slots=True)
class Delivery:
    """The data side of this participant as provider."""

    read: Begin
    now: Clock
    participant: str
    objects: Objects
    check_grant: Callable[[str, str], Grant]
    """Takes a token and a transfer's id, returns what the token is bound to, or raises Unauthenticated."""

    def assets(self, pid: str, token: str) -> list[Asset]:
        """Return the files of a running transfer.

        Raises:
            Unauthenticated: the token is not for this transfer, or out of date.
            Denied: the agreement or its policy does not permit it now; the reasons say why.
        """
        return self._assets(self.check_grant(token, pid))

    def open(self, pid: str, token: str, filename: str | None = None) -> Opened:
        """Open one file of a running transfer, for the caller to close; errors as for `assets`.

        Raises:
            NotFound: the dataset has no file of that name, or several and none was named, or the file is damaged.
        """
        grant, checked = self.check_grant(token, pid), self.now()
        found = self._assets(grant)
        wanted = [asset for asset in found if filename in {None, asset.filename}]
        if len(wanted) != 1:
            raise NotFound("file", filename or f"of the transfer {pid}, which has {len(found)}: name one")
        return self._open(grant, checked, wanted[0])

    def stream(self, opened: Opened, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to and without `end`, looking at the agreement again while they flow.

        A file that turns out shorter ends early: nothing is ever put in the place of what is missing.

        Raises:
            Denied: the agreement ended or its policy stopped permitting the use; nothing more is given.
        """
        checked = opened.checked
        with opened.source as source:
            source.seek(start)
            while start < end and (piece := source.read(min(PIECE, end - start))):
                start += len(piece)
                # Asked before the bytes are given and not after: the taker may have been slow since the last ones.
                if (self.now() - checked).total_seconds() >= RECHECK_SECONDS:
                    checked = self.now()
                    self.check(opened.grant)
                yield piece

    def check(self, grant: Grant) -> None:
        """Look at a running transfer again; that its grant is out of date by now does not matter.

        Raises:
            Denied: it is permitted no longer; the reasons say why.
        """
        with self.read(self.participant) as work:
            self._permitted(work, grant)

    def permitted(self, grant: Grant) -> list[Asset]:
        """Return the files of a running transfer that we bring to its consumer ourselves.

        Raises:
            Denied: it is permitted no longer; the reasons say why.
        """
        return self._assets(grant)

    def open_asset(self, grant: Grant, asset: Asset) -> Opened:
        """Open one of them, for the caller to close; NotFound: it is damaged."""
        return self._open(grant, self.now(), asset)

    def stands(self, grant: Grant) -> bool:
        """Say whether a running transfer is still permitted; Busy and the like say that it cannot be told now."""
        try:
            self.check(grant)
        except (Denied, Unauthenticated, NotFound):
            return False
        return True

    def _assets(self, grant: Grant) -> list[Asset]:
        with self.read(self.participant) as work:
            transfer = self._permitted(work, grant)
            return work.select(Asset, col(Asset.dataset) == transfer.dataset, order_by=col(Asset.filename))

    def _open(self, grant: Grant, checked: datetime, asset: Asset) -> Opened:
        source = self.objects.open(asset.object)
        if os.fstat(source.fileno()).st_size != asset.size:
            source.close()
            raise NotFound("undamaged file", asset.filename)
        return Opened(grant, checked, File(asset.object, asset.size, asset.media_type, asset.filename), source)

    def _permitted(self, work: Work, grant: Grant) -> Transfer:
        """Return the transfer if its agreement permits the use that was started with it, now."""
        transfer = work.find(Transfer, grant.transfer)
        if transfer is None or transfer.peer != grant.consumer or transfer.role != Role.PROVIDER:
            raise Unauthenticated("The token is for no transfer of this provider.")
        if (transfer.agreement, transfer.dataset) != (grant.agreement, grant.dataset):
            raise Unauthenticated("The token is for another agreement or dataset than the transfer.")
        contract = work.need(Agreement, transfer.agreement)
        if contract.state != "active":
            raise Denied(why_not(contract), fix="Negotiate a new agreement.")
        if transfer.state != State.STARTED:
            raise Denied(f"The transfer is {transfer.state}, not STARTED.", fix="Request a new transfer.")
        peer = work.find(Peer, grant.consumer)
        if peer is None:
            raise Denied(f"{grant.consumer} is trusted no longer.", fix="Ask the operator of this connector.")
        # The use was counted when the transfer started, so it is the last of those counted.
        known = facts(self.now(), peer, grant.consumer, contract.claims, contract.uses)
        decision = judge(contract.policy, "use", known)
        if not decision.permitted:
            raise Denied("The agreement's policy does not permit this use now.", reasons=decision.reasons)
        return transfer
