"""What negotiations and transfers share: their two ids, and how a peer is told of a move."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

from sqlmodel import col

from connector.capabilities.evidence import Begin, Clock
from connector.capabilities.identity import Principal
from connector.capabilities.messenger import Messenger, code_of, reasons
from connector.errors import Conflict, InvalidInput, NotFound, PeerFailed
from connector.standards.dsp import messages, negotiation, transfer
from connector.standards.dsp.negotiation import Role
from connector.storage.events import Event
from connector.storage.tables import Evidence, Negotiation, OutboxRow, Transfer
from connector.storage.work import Work

TERMINATED: Final = "TERMINATED"
FIRST_LOOK: Final = timedelta(seconds=1)
LOOKS: Final = 4
"""How often a peer that takes a message without a word is asked for its state: after 1, 4, 16 and 64 s."""
APPROVAL: Final = "approval"
"""What a process waits for when it waits for a person."""

P = TypeVar("P", Negotiation, Transfer)


@dataclass(frozen=True, slots=True)
class Letters(Generic[P]):
    """Tells peers of our moves in one kind of process."""

    begin: Begin
    now: Clock
    messenger: Messenger
    table: type[P]
    acknowledgement: type[messages.ContractNegotiation | messages.TransferProcess]
    final: frozenset[str]
    ended: Callable[[str], Event]
    """Makes the event that says that a process was terminated."""

    async def send(
        self, participant: str, ours: P, path: str, message: messages.Message, *, binding: bool = True
    ) -> bool:
        """Tell the peer of one move; a refusal that is final ends the process with the peer's reasons.

        Returns whether the peer took it without saying so: it answered well and with nothing.

        Args:
            participant: whose process it is.
            ours: the process.
            path: where the message goes, under the peer's address.
            message: what tells of the move.
            binding: False for what the peer may refuse, and both go on as before.

        Raises:
            PeerFailed: the peer cannot be reached now; the same message may be sent again.
        """
        try:
            answer = await self.messenger.post(ours.peer, ours.callback + path, messages.encode(message))
        except PeerFailed as failure:
            if failure.retryable:
                raise
            if not binding:
                return False
            why = reasons(failure.body) or [failure.message]
            self.give_up(participant, ours.pid, why, code_of(failure.body))
            return False
        if ours.peer_pid is None:
            self._learn(participant, ours.pid, answer.body)
        return not answer.body

    async def tell(
        self,
        participant: str,
        ours: P,
        path: str,
        message: messages.Message,
        *,
        binding: bool = True,
        doubt: int = 0,
        told: Callable[[str], bool | None],
        again: Callable[[int], Event],
    ) -> None:
        """Tell the peer of one move, and look later whether it has it where it took it without a word.

        Eclipse EDC now and then forgets a message that came while it was writing down its own last one, and answers
        200 with nothing: both sides would wait for each other for ever. Who answers with its state has it.

        Args:
            participant: whose process it is.
            ours: the process.
            path: where the message goes, under the peer's address.
            message: what tells of the move.
            binding: as for `send`.
            doubt: 0 the first time, then the number of the look.
            told: tells from the state that the peer says it is in whether it heard of the move, if that can be told.
            again: makes the event for the next look, by its number.

        Raises:
            PeerFailed: as for `send`.
        """
        state = await self._ask(ours) if doubt else None
        known = told(state) if state is not None else None
        if known:
            return
        silent = True
        if not doubt or known is False:
            silent = await self.send(participant, ours, path, message, binding=binding and not doubt)
        if silent and ours.peer_pid is not None and doubt < LOOKS:
            with self.begin(participant) as work:
                work.emit(again(doubt + 1), self.now() + FIRST_LOOK * 4**doubt)

    async def _ask(self, ours: P) -> str | None:
        """Return the state that the peer has a process in, or None where it does not say."""
        url = f"{ours.callback}/{self.table.__tablename__}s/{ours.peer_pid}"
        try:
            answer = await self.messenger.get(ours.peer, url)
            return messages.decode(answer.body, self.acknowledgement).state
        except (PeerFailed, InvalidInput):
            return None

    def give_up(self, participant: str, pid: str, why: list[str], code: str | None = None) -> None:
        """End a process that the peer refuses to go on with; it knows, so it is not told.

        Args:
            participant: whose process it is.
            pid: our id of it.
            why: the peer's reasons, verbatim.
            code: the peer's code, verbatim; None where it gave none.
        """
        with self.begin(participant) as work:
            ours = work.need(self.table, pid, lock=True)
            if ours.state in self.final:
                return
            ours.state, ours.code, ours.reason = TERMINATED, code or "refused-by-peer", why
            ours.pending, ours.updated = None, self.now()
            work.record(pid, f"{self.table.__tablename__}.refused", ours.peer, {"reason": why, "code": code})
            work.emit(self.ended(pid))

    def undelivered(self, participant: str, pid: str, why: str) -> None:
        """End a process whose peer could not be told of a move; nothing happens when it is not of our kind."""
        with self.begin(participant) as work:
            known = work.find(self.table, pid) is not None
        if known:
            self.give_up(participant, pid, [why])

    def _learn(self, participant: str, pid: str, body: bytes) -> None:
        """Take the peer's id of the process from its acknowledgement, unless a message of its brought it first."""
        acknowledged = messages.decode(body, self.acknowledgement)
        with self.begin(participant) as work:
            ours = work.need(self.table, pid, lock=True)
            if ours.peer_pid is None:
                mine = ours.role == Role.CONSUMER
                ours.peer_pid = acknowledged.provider_pid if mine else acknowledged.consumer_pid


def between(found: P | None, kind: str, pid: str, sender: Principal) -> P:
    """Return a process if it is with `sender`; one with somebody else looks like none at all (clause 8.3.1).

    Raises:
        NotFound: there is none with this peer.
    """
    if found is None or found.peer != sender.participant:
        raise NotFound(kind, pid)
    return found


def once_more(open_: Callable[[], P]) -> P:
    """Open a process that a peer may be asking for several times at once: who comes second finds the first one's."""
    try:
        return open_()
    except Conflict:
        return open_()


def unheard(ours: Negotiation | Transfer, opening: bool, ending: bool) -> bool:
    """Tell whether a move need not be told any more: it was overtaken by the end, or the peer never knew us.

    A request that was tried is told even after the end: only its answer says which process the peer has to end.
    """
    if ending:
        return ours.peer_pid is None
    return ours.state == TERMINATED and not opening


def said_again(work: Work, ours: Negotiation | Transfer, kind: str, body: Mapping[str, Any]) -> bool:
    """Tell whether a message says, under another id, what the peer said last: some make a new one for every attempt."""
    about = (col(Evidence.subject) == ours.pid, col(Evidence.actor) == ours.peer)
    last = work.select(Evidence, *about, order_by=col(Evidence.seq).desc(), limit=1)
    return bool(last) and (last[0].kind, _meant(last[0].body)) == (kind, _meant(body))


def _meant(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "@id"}


def pids(ours: Negotiation | Transfer) -> tuple[str, str]:
    """Return the consumer's and the provider's id of a process; empty where the peer's is not known yet."""
    theirs = ours.peer_pid or ""
    return (ours.pid, theirs) if ours.role == Role.CONSUMER else (theirs, ours.pid)


def check_pids(ours: Negotiation | Transfer, consumer: str | None, provider: str | None) -> None:
    """Hold a message's ids against the process it was sent to; the peer's own id is learnt from its first message.

    Raises:
        InvalidInput: the message is about another process.
    """
    mine, theirs = (consumer, provider) if ours.role == Role.CONSUMER else (provider, consumer)
    if mine not in {ours.pid, None} or (ours.peer_pid is not None and theirs not in {ours.peer_pid, None}):
        raise InvalidInput(
            "The ids in the message are not those of the process it was sent to.",
            where="consumerPid, providerPid",
            fix="Send it to the address of the process that it names.",
        )
    ours.peer_pid = ours.peer_pid or theirs


LEADS_TO: Final[Mapping[str, str]] = {
    "refused": TERMINATED,
    **{str(move): str(state) for move, state in negotiation.RESULTS.items()},
    **{str(move): str(state) for move, state in transfer.RESULTS.items()},
}
"""The state after each move; in both machines a move leads to one state, wherever it comes from."""


def timeline(happened: Iterable[Evidence], tried: Iterable[OutboxRow] = ()) -> list[dict[str, Any]]:
    """Return what happened in a process, for people: `at`, `who`, `what`, `state`, `why`, `code` and `message`.

    Args:
        happened: the evidence about the process, in order.
        tried: what was tried and did not go well yet, shown at the end with the fault.
    """
    return [*_steps(happened), *(_trouble(row) for row in tried)]


def _steps(happened: Iterable[Evidence]) -> Iterator[dict[str, Any]]:
    for row in happened:
        _, what, *received = row.kind.split(".")
        said = row.body
        yield {
            "at": row.at,
            "who": row.actor,
            "what": what,
            "state": LEADS_TO.get(what),
            "why": said.get("reasons") or said.get("reason") or [],
            "code": said.get("code"),
            "message": row.message_id if received else said.get("message"),
        }


def _trouble(row: OutboxRow) -> dict[str, Any]:
    what = "given-up" if row.state == "failed" else "waiting"
    when = row.lease_until or row.due
    why = [row.error] if row.error else []
    return {"at": when, "who": row.subscriber, "what": what, "state": None, "why": why, "code": None, "message": None}
