"""Transfers of data under agreements, in both roles (Dataspace Protocol 2025-1, chapter 10).

House rules as in `negotiations`. One use of an agreement is one transfer that was started: what a limit of uses
counts. The bytes themselves are `delivery`'s.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec
from sqlmodel import col

from connector.capabilities.agreements import AgreementEnded, need_active, why_not
from connector.capabilities.evidence import Begin, Clock, NewId
from connector.capabilities.identity import Principal
from connector.capabilities.messenger import Messenger, message_id
from connector.capabilities.notices import (
    PushDue,
    ShelfDue,
    TransferMessageDue,
    TransferMoved,
    TransferStepDue,
    about_transfer,
)
from connector.capabilities.offers import facts
from connector.capabilities.places import Places
from connector.capabilities.processes import APPROVAL, Letters, between, check_pids, once_more, said_again, unheard
from connector.errors import Conflict, Denied, IllegalMove, InvalidInput, NotFound
from connector.standards.dsp import automation, messages, transfer, wire
from connector.standards.dsp.address import RENEWAL
from connector.standards.dsp.negotiation import Role
from connector.standards.dsp.targets import HTTP_PULL, PUSHES, S3_PULL
from connector.standards.dsp.transfer import Move, State, TransferMessage
from connector.standards.odrl.decide import judge
from connector.storage.events import DeliveryFailed
from connector.storage.tables import Agreement, Asset, Evidence, JsonObject, Peer, Transfer
from connector.storage.work import Work

FINAL: Final = transfer.FINAL


@dataclass(frozen=True, slots=True)
class Transfers:
    """Transfer processes of this participant."""

    begin: Begin
    read: Begin
    now: Clock
    new_id: NewId
    participant: str
    address: str
    places: Places
    letters: Letters[Transfer]
    stage: Callable[[Transfer], Awaitable[None]]
    """Puts the file of a transfer where its consumer is going to fetch it, if that is not here."""

    # --- asked by our own people --------------------------------------------------------------------------------

    def request(
        self,
        agreement: str,
        by: Principal,
        pid: str | None = None,
        format: str = HTTP_PULL,  # noqa: A002 - the protocol's word
        place: messages.DataAddress | None = None,
    ) -> Transfer:
        """Ask the provider for the data of an agreement.

        Args:
            agreement: the agreement's id.
            by: who asks.
            pid: the transfer's id, for a caller that may have to ask again; asking again changes nothing.
            format: how the data is to come.
            place: where the provider is to bring it, in a push format.

        Raises:
            NotFound: we are no consumer of such an agreement.
            Conflict: the agreement is not in force, or `pid` is taken by another transfer.
            InvalidInput: a format that we do not speak, or a place that is not fit for it.
        """
        kept = self.places.agreed(format, place)
        with self.begin(self.participant) as work:
            if pid and (known := work.find(Transfer, pid)) is not None:
                return _the_same(known, agreement)
            found = work.find(Agreement, agreement)
            contract = need_active(work, agreement, found.peer if found else "", Role.CONSUMER)
            ours = work.add(
                Transfer(
                    participant=self.participant,
                    pid=pid or f"urn:uuid:{self.new_id()}",
                    role=Role.CONSUMER,
                    peer=contract.peer,
                    callback=work.need(Peer, contract.peer).address,
                    agreement=agreement,
                    dataset=contract.dataset,
                    format=format,
                    data_address=kept,
                    state=transfer.apply(None, Move.REQUEST, Role.CONSUMER),
                    automation=contract.automation,
                    script=contract.script,
                    created=self.now(),
                    updated=self.now(),
                )
            )
            self._announce(work, ours, Move.REQUEST, by.name)
            return ours

    def complete(self, pid: str, by: Principal) -> Transfer:
        """Say that all data was had; errors as for `terminate`."""
        with self.begin(self.participant) as work:
            ours = work.need(Transfer, pid, lock=True)
            if ours.state != State.COMPLETED:
                self._move(work, ours, Move.COMPLETE, by.name)
            return ours

    def terminate(self, pid: str, reason: str, by: Principal) -> Transfer:
        """End a transfer for a reason that the other side is told.

        Raises:
            NotFound: there is no such transfer.
            IllegalMove: it is over already.
        """
        with self.begin(self.participant) as work:
            ours = work.need(Transfer, pid, lock=True)
            if ours.state == State.TERMINATED and ours.reason == [reason]:
                return ours
            self._terminate(work, ours, "terminated-by-a-person", [reason], by.name)
            return ours

    def suspend(self, pid: str, reason: str, by: Principal) -> Transfer:
        """Pause a running transfer for a reason that the other side is told; errors as for `terminate`."""
        with self.begin(self.participant) as work:
            ours = work.need(Transfer, pid, lock=True)
            if ours.state != State.SUSPENDED:
                ours.code, ours.reason = "suspended-by-a-person", [reason]
                self._move(work, ours, Move.SUSPEND, by.name)
            return ours

    def start(self, pid: str, by: Principal) -> Transfer:
        """Start what waits for a person, or go on with what was suspended; the provider's policy is asked again.

        Raises:
            NotFound: there is no such transfer.
            IllegalMove: it neither waits nor is suspended.
            Denied: the policy does not permit it, or not any more.
        """
        with self.begin(self.participant) as work:
            ours = work.need(Transfer, pid, lock=True)
            if not transfer.may_send(State(ours.state), Move.START, Role(ours.role)):
                raise IllegalMove(
                    f"The transfer cannot be started: it is {ours.state}.",
                    fix="A suspended transfer can be taken up again; a requested one is started by its provider.",
                )
            if ours.role == Role.PROVIDER and (why := self._why_not(work, ours)):
                raise Denied("The transfer may not be started.", reasons=why)
            self._move(work, ours, Move.START, by.name)
            return ours

    def get(self, pid: str) -> Transfer:
        """Return one transfer, or raise NotFound."""
        with self.read(self.participant) as work:
            return work.need(Transfer, pid)

    def all(self) -> list[Transfer]:
        """Return all transfers, newest first."""
        with self.read(self.participant) as work:
            return work.select(Transfer, order_by=[col(Transfer.created).desc(), col(Transfer.pid)])

    async def data_access(self, pid: str) -> messages.DataAddress:
        """Return where and with which token the data of a started transfer is fetched now; the token is a fresh one.

        Raises:
            NotFound: there is no such transfer with us as consumer.
            Conflict: it is not running; the reason says why.
            PeerFailed: the provider gives no fresh token.
        """
        with self.read(self.participant) as work:
            ours = work.need(Transfer, pid)
        if ours.role != Role.CONSUMER or ours.format in PUSHES:
            raise NotFound("transfer to fetch from", pid)
        if ours.state != State.STARTED or ours.data_address is None:
            raise Conflict(_not_running(ours), fix="Request a new transfer.")
        address = messages.load_address(ours.data_address)
        renewal = address.get(RENEWAL)
        if renewal is None:
            return address
        answer = await self.letters.messenger.post(ours.peer, renewal, b"{}")
        fresh = self.places.received(messages.load_address(wire.read(answer.body)))
        return messages.load_address(fresh)

    # --- said by a peer -----------------------------------------------------------------------------------------

    def open(self, message: messages.TransferRequestMessage, sender: Principal) -> Transfer:
        """Take a consumer's request; the same request again is answered with the transfer it opened.

        Raises:
            NotFound: there is no such agreement with this peer.
            Conflict: the agreement is not in force.
            InvalidInput: a format that we do not offer, or a callback address that must not be called.
        """
        self.places.check_url(message.callback_address)
        kept = self.places.agreed(message.format, message.data_address)
        if message.format == S3_PULL:
            self.places.on_shelf(message.consumer_pid)
        return once_more(lambda: self._open(message, sender, kept))

    def _open(self, message: messages.TransferRequestMessage, sender: Principal, place: JsonObject | None) -> Transfer:
        with self.begin(self.participant) as work:
            asked = {"peer": sender.participant, "role": Role.PROVIDER.value, "peer_pid": message.consumer_pid}
            repeated = work.find_by(Transfer, **asked)
            if repeated:
                return repeated[0]
            contract = need_active(work, message.agreement_id, sender.participant, Role.PROVIDER)
            if not work.select(Asset, col(Asset.dataset) == contract.dataset, limit=1):
                raise InvalidInput("The dataset has no file that could be given.", where="format")
            ours = work.add(
                Transfer(
                    participant=self.participant,
                    pid=f"urn:uuid:{self.new_id()}",
                    role=Role.PROVIDER,
                    peer=sender.participant,
                    peer_pid=message.consumer_pid,
                    callback=message.callback_address.rstrip("/"),
                    agreement=contract.id,
                    dataset=contract.dataset,
                    format=message.format,
                    data_address=place,
                    state=transfer.apply(None, Move.REQUEST, Role.CONSUMER),
                    automation=contract.automation,
                    script=contract.script,
                    created=self.now(),
                    updated=self.now(),
                )
            )
            self._heard(work, ours, Move.REQUEST, message)
            return ours

    def receive(self, pid: str, message: TransferMessage, sender: Principal) -> Transfer:
        """Apply what the counterparty said; a repeated message is acknowledged, not applied again.

        Raises:
            NotFound: no such transfer with this peer; a stranger must not learn that it exists.
            IllegalMove: the protocol does not allow it in this state.
            InvalidInput: the message names another transfer, or a data address that must not be called.
        """
        move = transfer.move_of(message)
        if isinstance(message, messages.TransferRequestMessage):
            raise InvalidInput("A request opens a transfer.", where="@type", fix="Send it to /transfers/request.")
        with self.begin(self.participant) as work:
            ours = between(work.find(Transfer, pid, lock=True), "transfer", pid, sender)
            if work.has_evidence(ours.pid, message_id(message)):
                return ours
            check_pids(ours, message.consumer_pid, message.provider_pid)
            try:
                if not (move is Move.START and self._resumed(work, ours)):
                    ours.state = transfer.apply(State(ours.state), move, Role(ours.role).other)
            except IllegalMove:
                if move is not Move.START and said_again(
                    work, ours, f"transfer.{move}.received", messages.dump(message)
                ):
                    return ours
                raise
            ours.pending, ours.updated = None, self.now()
            if isinstance(message, messages.TransferStartMessage) and message.data_address is not None:
                ours.data_address = self.places.received(message.data_address)
            if isinstance(message, messages.TransferTerminationMessage | messages.TransferSuspensionMessage):
                ours.code, ours.reason = message.code, list(message.reason)
            self._heard(work, ours, move, message)
            if move is Move.START and ours.role == Role.PROVIDER:
                # The protocol has nothing more to say, but Eclipse EDC goes on only with a new address from a start.
                self._announce(work, ours, Move.START, self.participant, reply=True)
            return ours

    def state_for(self, pid: str, sender: Principal) -> Transfer:
        """Return the transfer as the counterparty may see it; errors as for `receive`."""
        with self.read(self.participant) as work:
            return between(work.find(Transfer, pid), "transfer", pid, sender)

    def renew(self, pid: str, sender: Principal) -> messages.DataAddress:
        """Return, as provider, the address of a running transfer with a fresh token.

        Raises:
            NotFound: no such transfer with this peer.
            Conflict: it is not running; the reason says why.
        """
        with self.read(self.participant) as work:
            ours = between(work.find(Transfer, pid), "transfer", pid, sender)
            contract = work.need(Agreement, ours.agreement)
        if ours.role != Role.PROVIDER or ours.format in PUSHES:
            raise NotFound("transfer to fetch from", pid)
        if contract.state != "active":
            raise Conflict(why_not(contract), fix="Negotiate a new agreement.")
        if ours.state != State.STARTED:
            raise Conflict(_not_running(ours), fix="Request a new transfer.")
        return self.places.pull(ours)

    # --- heard from the outbox ----------------------------------------------------------------------------------

    def react(self, event: TransferMoved, participant: str) -> None:
        """Make the move that follows from the state a transfer is in, if it is ours to make."""
        with self.begin(participant) as work:
            ours = work.need(Transfer, event.subject, lock=True)
            if ours.state != event.state or ours.pending is not None:
                return
            if ours.state == State.REQUESTED and ours.role == Role.PROVIDER:
                self._answer(work, ours)
            elif ours.automation == "scripted":
                self._follow(work, ours)

    def act(self, event: TransferStepDue, participant: str) -> None:
        """Make the step of a script whose time has come, unless the transfer has gone another way meanwhile."""
        with self.begin(participant) as work:
            ours = work.need(Transfer, event.subject, lock=True)
            step = automation.next_step(ours.script, ours.step, ours.state)
            if ours.step == event.step and step is not None:
                self._take_step(work, ours, step)

    def end(self, event: AgreementEnded, participant: str) -> None:
        """Terminate every running transfer of an agreement that ended."""
        with self.begin(participant) as work:
            running = work.select(Transfer, col(Transfer.agreement) == event.subject, lock=True)
            for ours in running:
                if ours.state not in FINAL:
                    why = [f"The agreement was terminated: {event.reason}"]
                    self._terminate(work, ours, "agreement-terminated", why, participant)

    def fail(self, pid: str, code: str, why: list[str]) -> None:
        """End a transfer that cannot go on, unless it is over: the peer is told why."""
        with self.begin(self.participant) as work:
            ours = work.need(Transfer, pid, lock=True)
            if ours.state not in FINAL:
                self._terminate(work, ours, code, why, self.participant)

    async def send(self, event: TransferMessageDue, participant: str) -> None:
        """Tell the peer about our move.

        Raises:
            PeerFailed: the peer cannot be reached now; the outbox tries again.
        """
        with self.read(participant) as work:
            ours = work.need(Transfer, event.subject)
        if unheard(ours, event.move is Move.REQUEST, event.move is Move.TERMINATE):
            return
        if event.reply and ours.state != State.STARTED:
            return
        if event.doubt and (event.reply or ours.state != transfer.RESULTS[event.move]):
            return
        if event.move is Move.START and ours.role == Role.PROVIDER and ours.format == S3_PULL:
            await self.stage(ours)  # the consumer is told of what is there
        path, message = about_transfer(ours, event.move, event.message, self.address, lambda: self.places.access(ours))
        await self.letters.tell(
            participant,
            ours,
            path,
            message,
            binding=not event.reply,
            doubt=event.doubt,
            told=lambda state: transfer.told(state, event.move, Role(ours.role)),
            again=lambda doubt: msgspec.structs.replace(event, doubt=doubt),
        )
        if not event.doubt and automation.next_step(ours.script, ours.step, ours.state) is not None:
            with self.begin(participant) as work:  # the next step of a script follows once the peer knows of this one
                work.emit(TransferMoved(subject=ours.pid, state=State(ours.state)))

    def undelivered(self, event: DeliveryFailed, participant: str) -> None:
        """End a transfer whose counterparty could not be told of a move, with the reason."""
        if event.subscriber == "transfers.send":
            self.letters.undelivered(participant, event.subject, event.reason)

    # --- inside -------------------------------------------------------------------------------------------------

    def _heard(self, work: Work, ours: Transfer, move: Move, message: TransferMessage) -> None:
        # A data address opens something, ours or the peer's, and evidence is for ever.
        body = {name: said for name, said in messages.dump(message).items() if name != "dataAddress"}
        work.record(ours.pid, f"transfer.{move}.received", ours.peer, body, message_id(message))
        work.emit(TransferMoved(subject=ours.pid, state=State(ours.state)))
        self._clear(work, ours)

    def _announce(self, work: Work, ours: Transfer, move: Move, by: str, *, reply: bool = False) -> None:
        key = f"urn:uuid:{self.new_id()}"
        body = {"message": key, "state": ours.state, "agreement": ours.agreement, "reason": ours.reason}
        work.record(ours.pid, f"transfer.{move}", by, body)
        work.emit(TransferMessageDue(subject=ours.pid, move=move, message=key, reply=reply))
        if move is Move.START and ours.role == Role.PROVIDER and ours.format in PUSHES:
            work.emit(PushDue(subject=ours.pid))
        self._clear(work, ours)

    def _clear(self, work: Work, ours: Transfer) -> None:
        if ours.format == S3_PULL and ours.role == Role.PROVIDER and ours.state not in {State.REQUESTED, State.STARTED}:
            work.emit(ShelfDue(subject=ours.pid))

    def _resumed(self, work: Work, ours: Transfer) -> bool:
        """Tell whether a start may be a provider's reply to us, who went on with what was suspended."""
        started = col(Evidence.kind) == f"transfer.{Move.START}"
        running = ours.role == Role.CONSUMER and ours.state == State.STARTED
        return running and bool(work.select(Evidence, col(Evidence.subject) == ours.pid, started, limit=1))

    def _move(self, work: Work, ours: Transfer, move: Move, by: str) -> None:
        """Make our own move, held to the protocol like the peer's."""
        ours.state = transfer.apply(State(ours.state), move, Role(ours.role))
        ours.pending, ours.updated = None, self.now()
        self._announce(work, ours, move, by)

    def _terminate(self, work: Work, ours: Transfer, code: str, why: list[str], by: str) -> None:
        if ours.state in FINAL:
            raise IllegalMove(f"The transfer is over: it is {ours.state}.", fix="Nothing is left to do.")
        ours.code, ours.reason = code, why
        self._move(work, ours, Move.TERMINATE, by)

    def _answer(self, work: Work, ours: Transfer) -> None:
        """Decide, as provider, on a request for data: start it and count a use, or end it with the reasons."""
        if ours.automation == "accept":
            self._start(work, ours)
        elif why := self._why_not(work, ours, spend=False):
            self._terminate(work, ours, "policy", why, self.participant)
        elif ours.automation == "approve":
            ours.pending = APPROVAL
        else:
            self._follow(work, ours)

    def _start(self, work: Work, ours: Transfer) -> None:
        """Start, or end with the reasons why it must not be started."""
        if ours.role == Role.PROVIDER and (why := self._why_not(work, ours)):
            self._terminate(work, ours, "policy", why, self.participant)
        else:
            self._move(work, ours, Move.START, self.participant)

    def _why_not(self, work: Work, ours: Transfer, *, spend: bool = True) -> list[str]:
        """Return why data may not be given under the agreement now; none means it may, and the first time is a use."""
        contract = work.need(Agreement, ours.agreement, lock=True)
        first = ours.state == State.REQUESTED
        use = contract.uses + 1 if first else contract.uses
        known = facts(self.now(), work.find(Peer, ours.peer), ours.peer, contract.claims, use)
        decision = judge(contract.policy, "use", known)
        why = [why_not(contract)] if contract.state != "active" else [] if decision.permitted else [*decision.reasons]
        said = why or list(decision.reasons)
        body = {"permitted": not why, "reasons": said, "use": use}
        work.record(ours.pid, "policy.decided", self.participant, body)
        if not why and first and spend and not work.spend_use(contract.id, use):
            return [f"Use {use} of the agreement is taken already."]
        return why

    def _follow(self, work: Work, ours: Transfer) -> None:
        """Make the next step of a script, now or when its delay is over."""
        step = automation.next_step(ours.script, ours.step, ours.state)
        if step is None:
            return
        if step.after:
            work.emit(TransferStepDue(subject=ours.pid, step=ours.step), self.now() + timedelta(seconds=step.after))
        else:
            self._take_step(work, ours, step)

    def _take_step(self, work: Work, ours: Transfer, step: automation.Step) -> None:
        ours.step += 1
        move, why = Move(step.do), [step.reason] if step.reason else []
        if move is Move.TERMINATE:
            self._terminate(work, ours, "scripted", why, self.participant)
        elif move is Move.START:
            self._start(work, ours)
        else:
            if move is Move.SUSPEND:
                ours.code, ours.reason = "scripted", why
            self._move(work, ours, move, self.participant)


def letters(begin: Begin, now: Clock, messenger: Messenger) -> Letters[Transfer]:
    """Return what tells peers of our moves in transfers."""
    return Letters(
        begin,
        now,
        messenger,
        Transfer,
        messages.TransferProcess,
        FINAL,
        lambda pid: TransferMoved(subject=pid, state=State.TERMINATED),
    )


def _the_same(known: Transfer, agreement: str) -> Transfer:
    if known.agreement != agreement:
        raise Conflict(f"The id {known.pid!r} belongs to another transfer.", fix="Choose a new id.")
    return known


def _not_running(ours: Transfer) -> str:
    why = "; ".join(str(reason) for reason in ours.reason).rstrip(".")
    return f"The transfer is {ours.state}, not STARTED{': ' + why if why else ''}."
