"""Contract negotiations with other participants, in both roles (Dataspace Protocol 2025-1, chapter 8).

House rules of this file:

1. Every step is a unit of work: state, evidence and the event that leads on are written together or not at all.
2. What a message says is built from the rows when it is sent, so that a retry sends what the first try would have.
3. A reaction looks at the state it finds, not at the one it was called for: it may come twice, or late.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlmodel import col

from connector.capabilities.agreements import SIGNATURE, Agreements
from connector.capabilities.evidence import Begin, Clock, NewId
from connector.capabilities.identity import Principal
from connector.capabilities.messenger import Messenger, message_id
from connector.capabilities.offers import facts
from connector.capabilities.processes import Letters, between, check_pids, once_more, pids, unheard
from connector.errors import Conflict, Denied, IllegalMove, InvalidInput, NotFound
from connector.standards.dsp import messages, negotiation
from connector.standards.dsp.negotiation import Move, NegotiationMessage, Role, State
from connector.standards.odrl import explain, intake
from connector.standards.odrl.decide import judge
from connector.standards.rdf import GD
from connector.storage.events import DeliveryFailed, Event
from connector.storage.tables import Agreement, Dataset, Negotiation, Offer, Peer
from connector.storage.work import Work

PURPOSE: Final = f"{GD}purpose"
"""Key under which a consumer states its purpose in a request; a provider that does not know it ignores it."""

FINAL: Final = negotiation.FINAL


class NegotiationMoved(Event, frozen=True, kw_only=True):
    """A negotiation reached a new state, by our move or the peer's."""

    state: State


class NegotiationMessageDue(Event, frozen=True, kw_only=True):
    """We made a move and the peer has to hear of it; `message` is the message's id, the same on every try."""

    move: Move
    message: str


@dataclass(frozen=True, slots=True)
class Negotiations:
    """Contract negotiations of this participant."""

    begin: Begin
    read: Begin
    now: Clock
    new_id: NewId
    participant: str
    address: str
    agreements: Agreements
    letters: Letters[Negotiation]
    check_url: Callable[[str], None]

    # --- asked by our own people --------------------------------------------------------------------------------

    def offers(self, peer: str, dataset: str) -> list[Mapping[str, Any]]:
        """Return the terms under which `peer` offers a dataset, as in our copy of its catalog.

        Raises:
            NotFound: we have no copy of such a dataset.
        """
        with self.read(self.participant) as work:
            return list(work.need(Dataset, peer, dataset).offers)

    def request(
        self,
        peer: str,
        dataset: str,
        offer: str,
        claims: Mapping[str, str],
        accept: str | Sequence[Mapping[str, Any]],
        by: Principal,
        pid: str | None = None,
    ) -> Negotiation:
        """Ask `peer` for a contract on one of its offers that we crawled.

        Args:
            peer: the provider's participant IRI.
            dataset: the dataset's IRI.
            offer: the offer's id, as in the peer's catalog.
            claims: what we state about our use; `purpose` is an IRI of the purpose vocabulary.
            accept: `"any"`, or the policies that we are willing to agree to.
            by: who asks.
            pid: the negotiation's id, for a caller that may have to ask again; asking again changes nothing.

        Raises:
            NotFound: no such peer, dataset or offer in our copies.
            Denied: the offer's terms are none of those in `accept`.
            Conflict: `pid` is taken by a different request.
        """
        with self.begin(self.participant) as work:
            if pid and (known := work.find(Negotiation, pid)) is not None:
                return _the_same(known, peer, offer, claims)
            address = work.need(Peer, peer).address
            terms = offered(work.need(Dataset, peer, dataset), offer)
            _acceptable(terms, accept)
            ours = work.add(
                Negotiation(
                    participant=self.participant,
                    pid=pid or f"urn:uuid:{self.new_id()}",
                    role=Role.CONSUMER,
                    peer=peer,
                    callback=address,
                    state=negotiation.apply(None, Move.REQUEST, Role.CONSUMER),
                    dataset=dataset,
                    offer_id=offer,
                    policy={**terms, "@id": offer, "@type": "Offer", "target": dataset},
                    claims=dict(claims),
                    created=self.now(),
                    updated=self.now(),
                )
            )
            self._announce(work, ours, Move.REQUEST, by.name)
            return ours

    def approve(self, pid: str, by: Principal) -> Negotiation:
        """Say yes to what waits for a person: a request to us as provider, changed terms as consumer.

        Raises:
            Conflict: nothing waits there.
            Denied: the policy permitted it when it was asked for, and does not any more.
        """
        with self.begin(self.participant) as work:
            ours = work.need(Negotiation, pid, lock=True)
            if ours.pending is None:
                raise Conflict(f"The negotiation {pid!r} waits for nobody's approval.", fix="Look at its state.")
            ours.pending = None
            if ours.role == Role.PROVIDER:
                self._approve(work, ours, by.name)
            else:
                self._move(work, ours, Move.ACCEPT, by.name)
            return ours

    def terminate(self, pid: str, reason: str, by: Principal) -> Negotiation:
        """End a negotiation for a reason that the other side is told.

        Raises:
            IllegalMove: it is over already.
        """
        with self.begin(self.participant) as work:
            ours = work.need(Negotiation, pid, lock=True)
            if ours.state == State.TERMINATED and ours.reason == [reason]:
                return ours
            self._terminate(work, ours, "terminated-by-a-person", [reason], by.name)
            return ours

    def get(self, pid: str) -> Negotiation:
        """Return one negotiation, or raise NotFound."""
        with self.read(self.participant) as work:
            return work.need(Negotiation, pid)

    def all(self) -> list[Negotiation]:
        """Return all negotiations, newest first."""
        with self.read(self.participant) as work:
            return work.select(Negotiation, order_by=[col(Negotiation.created).desc(), col(Negotiation.pid)])

    # --- said by a peer -----------------------------------------------------------------------------------------

    def open(self, message: messages.ContractRequestMessage, sender: Principal) -> Negotiation:
        """Take a consumer's first request; the same request again is answered with the negotiation it opened.

        Raises:
            NotFound: there is no such offer.
            InvalidInput: the callback address must not be called, or the terms are not the offer's.
        """
        self.check_url(message.callback_address or "")
        return once_more(lambda: self._open(message, sender))

    def _open(self, message: messages.ContractRequestMessage, sender: Principal) -> Negotiation:
        with self.begin(self.participant) as work:
            repeated = work.select(
                Negotiation,
                col(Negotiation.peer) == sender.participant,
                col(Negotiation.peer_pid) == message.consumer_pid,
                col(Negotiation.role) == Role.PROVIDER.value,
            )
            if repeated:
                return repeated[0]
            offer = requested(work, message.offer)
            ours = work.add(
                Negotiation(
                    participant=self.participant,
                    pid=f"urn:uuid:{self.new_id()}",
                    role=Role.PROVIDER,
                    peer=sender.participant,
                    peer_pid=message.consumer_pid,
                    callback=(message.callback_address or "").rstrip("/"),
                    state=negotiation.apply(None, Move.REQUEST, Role.CONSUMER),
                    dataset=offer.dataset,
                    offer_id=offer.id,
                    policy=dict(message.offer),
                    claims=_claims(message),
                    created=self.now(),
                    updated=self.now(),
                )
            )
            self._heard(work, ours, Move.REQUEST, message)
            return ours

    def receive(self, pid: str, message: NegotiationMessage, sender: Principal) -> Negotiation:
        """Apply what the counterparty said; a repeated message is acknowledged, not applied again.

        Raises:
            NotFound: no such negotiation with this peer; a stranger must not learn that it exists.
            IllegalMove: the protocol does not allow it in this state.
            InvalidInput: the message names another negotiation, or a signature in it does not hold.
        """
        move = negotiation.move_of(message)
        with self.begin(self.participant) as work:
            ours = between(work.find(Negotiation, pid, lock=True), "negotiation", pid, sender)
            if work.has_evidence(ours.pid, message_id(message)):
                return ours
            check_pids(ours, message.consumer_pid, message.provider_pid)
            ours.state = negotiation.apply(State(ours.state), move, Role(ours.role).other)
            ours.updated = self.now()
            self._take(work, ours, message)
            self._heard(work, ours, move, message)
            return ours

    def state_for(self, pid: str, sender: Principal) -> Negotiation:
        """Return the negotiation as the counterparty may see it; errors as for `receive`."""
        with self.read(self.participant) as work:
            return between(work.find(Negotiation, pid), "negotiation", pid, sender)

    # --- heard from the outbox ----------------------------------------------------------------------------------

    def react(self, event: NegotiationMoved, participant: str) -> None:
        """Make the move that follows from the state a negotiation is in, if it is ours to make."""
        with self.begin(participant) as work:
            ours = work.need(Negotiation, event.subject, lock=True)
            if ours.state != event.state or ours.pending is not None:
                return
            match Role(ours.role), State(ours.state):
                case Role.PROVIDER, State.REQUESTED:
                    self._answer(work, ours)
                case Role.PROVIDER, State.ACCEPTED:
                    self._agree(work, ours, self.participant)
                case Role.PROVIDER, State.VERIFIED:
                    self.agreements.activate(work, ours)
                    self._move(work, ours, Move.FINALIZE, self.participant)
                case Role.CONSUMER, State.OFFERED:
                    ours.pending = "approval"
                case Role.CONSUMER, State.AGREED:
                    self._verify(work, ours)

    async def send(self, event: NegotiationMessageDue, participant: str) -> None:
        """Tell the peer about our move.

        Raises:
            PeerFailed: the peer cannot be reached now; the outbox tries again.
        """
        with self.read(participant) as work:
            ours = work.need(Negotiation, event.subject)
            agreement = work.find(Agreement, ours.agreement_id) if ours.agreement_id else None
        if unheard(ours, event.move is Move.REQUEST, event.move is Move.TERMINATE):
            return
        path, message = self._message(ours, agreement, event)
        await self.letters.send(participant, ours, path, message)

    def undelivered(self, event: DeliveryFailed, participant: str) -> None:
        """End a negotiation whose counterparty could not be told of a move, with the reason."""
        if event.subscriber == "negotiations.send":
            self.letters.undelivered(participant, event.subject, event.reason)

    # --- inside -------------------------------------------------------------------------------------------------

    def _heard(self, work: Work, ours: Negotiation, move: Move, message: NegotiationMessage) -> None:
        body = msgspec.json.decode(messages.encode(message))
        work.record(ours.pid, f"negotiation.{move}.received", ours.peer, body, message_id(message))
        work.emit(NegotiationMoved(subject=ours.pid, state=State(ours.state)))

    def _announce(self, work: Work, ours: Negotiation, move: Move, by: str) -> None:
        key = f"urn:uuid:{self.new_id()}"
        body = {"message": key, "state": ours.state, "policy": ours.policy, "reason": ours.reason}
        work.record(ours.pid, f"negotiation.{move}", by, body)
        work.emit(NegotiationMessageDue(subject=ours.pid, move=move, message=key))

    def _move(self, work: Work, ours: Negotiation, move: Move, by: str) -> None:
        """Make our own move, held to the protocol more strictly than the peer's."""
        state, role = State(ours.state), Role(ours.role)
        after = negotiation.apply(state, move, role)
        if not negotiation.may_send(state, move, role):
            # The peer may be a step ahead: it would hold for agreed what we hold for ended.
            raise IllegalMove(
                f"The {role} may not {move} when the negotiation is {state}: it is the other side's turn.",
                fix="Wait for its answer.",
            )
        ours.state = after
        ours.updated = self.now()
        self._announce(work, ours, move, by)

    def _terminate(self, work: Work, ours: Negotiation, code: str, why: list[str], by: str) -> None:
        if ours.state in FINAL:
            raise IllegalMove(f"The negotiation is over: it is {ours.state}.", fix="Nothing is left to do.")
        ours.code, ours.reason, ours.pending = code, why, None
        self._move(work, ours, Move.TERMINATE, by)

    def _answer(self, work: Work, ours: Negotiation) -> None:
        """Decide, as provider, on a request for one of our offers."""
        offer = work.need(Offer, ours.offer_id)
        known = facts(self.now(), work.find(Peer, ours.peer), ours.peer, ours.claims, use=1)
        decision = judge(offer.policy, "use", known)
        work.record(ours.pid, "policy.decided", self.participant, _said(decision.permitted, decision.reasons))
        if not decision.permitted:
            self._terminate(work, ours, "policy", list(decision.reasons), self.participant)
        elif offer.automation == "accept":
            self._agree(work, ours, self.participant)
        elif offer.automation == "approve":
            ours.pending = "approval"

    def _approve(self, work: Work, ours: Negotiation, by: str) -> None:
        """Agree as a person says, if the policy still permits it."""
        offer = work.need(Offer, ours.offer_id)
        known = facts(self.now(), work.find(Peer, ours.peer), ours.peer, ours.claims, use=1)
        decision = judge(offer.policy, "use", known)
        if not decision.permitted:
            raise Denied("The offer's policy does not permit it any more.", reasons=decision.reasons)
        self._agree(work, ours, by)

    def _agree(self, work: Work, ours: Negotiation, by: str) -> None:
        self.agreements.draw_up(work, ours)
        self._move(work, ours, Move.AGREE, by)

    def _verify(self, work: Work, ours: Negotiation) -> None:
        """Check, as consumer, what the provider wants us to be bound by, and sign it or leave."""
        agreement = work.need(Agreement, ours.agreement_id, lock=True)
        if faults := self.agreements.faults(work, ours, agreement):
            self._terminate(work, ours, "agreement-refused", faults, self.participant)
            return
        self.agreements.countersign(work, agreement)
        self._move(work, ours, Move.VERIFY, self.participant)

    def _take(self, work: Work, ours: Negotiation, message: NegotiationMessage) -> None:
        """Keep what a message brings beside its move."""
        match message:
            case messages.ContractAgreementMessage():
                self.agreements.take(work, ours, message.agreement, message.extra.get(SIGNATURE))
            case messages.ContractAgreementVerificationMessage():
                agreement = work.need(Agreement, ours.agreement_id, lock=True)
                self.agreements.accept_countersignature(work, agreement, message.extra.get(SIGNATURE))
            case messages.ContractNegotiationTerminationMessage():
                ours.code, ours.reason, ours.pending = message.code, list(message.reason), None
            case messages.ContractOfferMessage() | messages.ContractRequestMessage():
                ours.policy, ours.pending = dict(message.offer), None
            case messages.ContractNegotiationEventMessage(event_type="FINALIZED"):
                self.agreements.activate(work, ours)

    def _message(
        self, ours: Negotiation, agreement: Agreement | None, event: NegotiationMessageDue
    ) -> tuple[str, NegotiationMessage]:
        """Return the path under the peer's address and the message that tells of a move."""
        consumer, provider = pids(ours)
        both: dict[str, Any] = {"id": event.message, "consumer_pid": consumer, "provider_pid": provider}
        signature = agreement.signatures.get(self.participant) if agreement else None
        signed = {SIGNATURE: signature} if signature else {}
        process = f"/negotiations/{ours.peer_pid}"
        match event.move:
            case Move.REQUEST:
                purpose = {PURPOSE: ours.claims["purpose"]} if "purpose" in ours.claims else {}
                return "/negotiations/request", messages.ContractRequestMessage(
                    id=event.message,
                    consumer_pid=consumer,
                    callback_address=self.address,
                    offer=ours.policy,
                    extra=purpose,
                )
            case Move.AGREE if agreement:
                terms = agreement.policy
                return f"{process}/agreement", messages.ContractAgreementMessage(**both, agreement=terms, extra=signed)
            case Move.VERIFY:
                return f"{process}/agreement/verification", messages.ContractAgreementVerificationMessage(
                    **both, extra=signed
                )
            case Move.ACCEPT | Move.FINALIZE:
                kind = "ACCEPTED" if event.move is Move.ACCEPT else "FINALIZED"
                return f"{process}/events", messages.ContractNegotiationEventMessage(**both, event_type=kind)
            case Move.TERMINATE:
                return f"{process}/termination", messages.ContractNegotiationTerminationMessage(
                    **both, code=ours.code, reason=tuple(ours.reason)
                )
        raise IllegalMove(f"There is no message for the move {event.move!r} here.")


def letters(begin: Begin, now: Clock, messenger: Messenger) -> Letters[Negotiation]:
    """Return what tells peers of our moves in negotiations."""
    return Letters(
        begin,
        now,
        messenger,
        Negotiation,
        messages.ContractNegotiation,
        FINAL,
        lambda pid: NegotiationMoved(subject=pid, state=State.TERMINATED),
    )


def offered(dataset: Dataset, offer: str) -> Mapping[str, Any]:
    """Return the terms of one of a crawled dataset's offers, or raise NotFound."""
    for policy in dataset.offers:
        if policy.get("@id") == offer:
            return policy
    raise NotFound("offer", offer)


def requested(work: Work, terms: Mapping[str, Any]) -> Offer:
    """Return our open offer that a request means.

    Raises:
        NotFound: there is no such offer, or it is not of the dataset that the request names.
        InvalidInput: the request carries other terms than the offer.
    """
    key = str(terms.get("@id"))
    offer = work.find(Offer, key)
    if offer is None or offer.state != "open" or terms.get("target", offer.dataset) != offer.dataset:
        raise NotFound("offer", key)
    if work.need(Dataset, work.participant, offer.dataset).state != "published":
        raise NotFound("offer", key)
    if not intake.same(terms, offer.policy):
        raise InvalidInput(
            "The rules in the request are not those of the offer.",
            where="offer",
            fix=f"Request the offer as it stands in the catalog: {explain.explain(intake.read(offer.policy))}",
        )
    return offer


def _acceptable(terms: Mapping[str, Any], accept: str | Sequence[Mapping[str, Any]]) -> None:
    if accept == "any" or (not isinstance(accept, str) and any(intake.same(terms, policy) for policy in accept)):
        return
    raise Denied(
        "The offer's terms are not among those you accept.",
        reasons=[explain.explain(intake.read(terms))],
        fix='Add these terms to `accept`, or say accept="any".',
    )


def _the_same(known: Negotiation, peer: str, offer: str, claims: Mapping[str, str]) -> Negotiation:
    if (known.peer, known.offer_id, known.claims) != (peer, offer, dict(claims)):
        raise Conflict(f"The id {known.pid!r} belongs to another negotiation.", fix="Choose a new id.")
    return known


def _claims(message: messages.ContractRequestMessage) -> dict[str, str]:
    purpose = message.extra.get(PURPOSE)
    return {"purpose": purpose} if isinstance(purpose, str) else {}


def _said(permitted: bool, why: Sequence[str]) -> dict[str, Any]:
    return {"permitted": permitted, "reasons": list(why)}
