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

from connector.capabilities import notices
from connector.capabilities.agreements import SIGNATURE
from connector.capabilities.evidence import Begin, Clock, NewId
from connector.capabilities.identity import Principal
from connector.capabilities.messenger import Messenger, message_id
from connector.capabilities.moves import Moves, is_accepted
from connector.capabilities.notices import NegotiationMessageDue, NegotiationMoved, NegotiationStepDue
from connector.capabilities.offers import offer_id
from connector.capabilities.processes import Letters, between, check_pids, once_more, said_again, unheard
from connector.errors import Conflict, Denied, IllegalMove, InvalidInput, NotFound
from connector.standards.dsp import automation, messages, negotiation
from connector.standards.dsp.automation import Automation
from connector.standards.dsp.negotiation import Move, NegotiationMessage, Role, State
from connector.standards.odrl import explain, intake
from connector.storage.events import DeliveryFailed
from connector.storage.tables import Agreement, Dataset, Negotiation, Offer, Peer
from connector.storage.work import Work

FINAL: Final = negotiation.FINAL
_YES: Final = {
    (Role.PROVIDER, State.REQUESTED): Move.AGREE,
    (Role.PROVIDER, State.ACCEPTED): Move.AGREE,
    (Role.CONSUMER, State.OFFERED): Move.ACCEPT,
    (Role.CONSUMER, State.AGREED): Move.VERIFY,
}
"""The move by which a person says yes."""


@dataclass(frozen=True, slots=True)
class Negotiations:
    """Contract negotiations of this participant."""

    begin: Begin
    read: Begin
    now: Clock
    new_id: NewId
    participant: str
    address: str
    moves: Moves
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
        rule: Automation = "approve",
        script: Sequence[Any] = (),
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
            rule: what happens when the peer offers other terms: `accept` takes those in `accept`, `approve` asks a
                person, `none` leaves every move to a person, `scripted` follows the script.
            script: the steps of a scripted rule.

        Raises:
            NotFound: no such peer, dataset or offer in our copies.
            Denied: the offer's terms are none of those in `accept`.
            Conflict: `pid` is taken by a different request.
            InvalidInput: the script is none.
        """
        steps = automation.read(rule, script, "negotiation", Role.CONSUMER)
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
                    automation=rule,
                    script=steps,
                    accept=None if isinstance(accept, str) else [dict(policy) for policy in accept],
                    created=self.now(),
                    updated=self.now(),
                )
            )
            self.moves.announce(work, ours, Move.REQUEST, by.name, opening=True)
            return ours

    def offer(self, peer: str, offer: str, by: Principal, pid: str | None = None) -> Negotiation:
        """Send `peer` one of our open offers unasked, as provider; what it answers is dealt with by the offer's rule.

        Raises:
            NotFound: no such peer, or no such open offer.
            Conflict: `pid` is taken by a different negotiation.
        """
        with self.begin(self.participant) as work:
            if pid and (known := work.find(Negotiation, pid)) is not None:
                return _the_same(known, peer, offer, {})
            address = work.need(Peer, peer).address
            terms = requested(work, work.need(Offer, offer).policy)
            ours = work.add(
                Negotiation(
                    participant=self.participant,
                    pid=pid or f"urn:uuid:{self.new_id()}",
                    role=Role.PROVIDER,
                    peer=peer,
                    callback=address,
                    state=negotiation.apply(None, Move.OFFER, Role.PROVIDER),
                    dataset=terms.dataset,
                    offer_id=terms.id,
                    policy={**terms.policy, "target": terms.dataset},
                    automation=terms.automation,
                    script=terms.script,
                    created=self.now(),
                    updated=self.now(),
                )
            )
            self.moves.announce(work, ours, Move.OFFER, by.name, opening=True)
            return ours

    def propose(self, pid: str, policy: Mapping[str, Any], by: Principal) -> Negotiation:
        """Put other terms on the table: a counter-offer as provider, a counter-request as consumer.

        Raises:
            InvalidInput: a term that this connector does not understand and so could not hold anybody to.
            IllegalMove: it is not our turn.
        """
        terms = intake.write(intake.read(policy))
        with self.begin(self.participant) as work:
            ours = work.need(Negotiation, pid, lock=True)
            mine = ours.role == Role.PROVIDER
            key = offer_id(ours.dataset, intake.fingerprint(terms)) if mine else ours.offer_id
            provider = self.participant if mine else ours.peer
            ours.policy = {**terms, "@id": key, "@type": "Offer", "target": ours.dataset, "assigner": provider}
            ours.pending = None
            self.moves.move(work, ours, Move.OFFER if mine else Move.REQUEST, by.name)
            return ours

    def approve(self, pid: str, by: Principal) -> Negotiation:
        """Say yes to what waits for a person: a request to us as provider, changed terms as consumer.

        Raises:
            Conflict: nothing waits there.
            Denied: the policy permitted it when it was asked for, and does not any more.
        """
        with self.begin(self.participant) as work:
            ours = work.need(Negotiation, pid, lock=True)
            move = _YES.get((Role(ours.role), State(ours.state)))
            if move is None or (ours.pending is None and ours.automation != "none"):
                raise Conflict(f"The negotiation {pid!r} waits for nobody's approval.", fix="Look at its state.")
            ours.pending = None
            if move is Move.AGREE and not (decision := self.moves.decide(work, ours)).permitted:
                raise Denied("The policy does not permit it any more.", reasons=decision.reasons)
            self.moves.make(work, ours, move, by.name)
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
            self.moves.terminate(work, ours, "terminated-by-a-person", [reason], by.name)
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
            if repeated := _opened(work, sender, message.consumer_pid, Role.PROVIDER):
                return repeated
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
                    claims=notices.claims_of(message),
                    automation=offer.automation,
                    script=offer.script,
                    created=self.now(),
                    updated=self.now(),
                )
            )
            self.moves.heard(work, ours, Move.REQUEST, message)
            return ours

    def offered(self, message: messages.ContractOfferMessage, sender: Principal) -> Negotiation:
        """Take, as consumer, an offer that a provider makes unasked; a person decides on it.

        Raises:
            InvalidInput: the callback address must not be called, or the terms are not understood.
        """
        self.check_url(message.callback_address or "")
        intake.read(message.offer)
        return once_more(lambda: self._offered(message, sender))

    def _offered(self, message: messages.ContractOfferMessage, sender: Principal) -> Negotiation:
        with self.begin(self.participant) as work:
            if repeated := _opened(work, sender, message.provider_pid, Role.CONSUMER):
                return repeated
            ours = work.add(
                Negotiation(
                    participant=self.participant,
                    pid=f"urn:uuid:{self.new_id()}",
                    role=Role.CONSUMER,
                    peer=sender.participant,
                    peer_pid=message.provider_pid,
                    callback=(message.callback_address or "").rstrip("/"),
                    state=negotiation.apply(None, Move.OFFER, Role.PROVIDER),
                    dataset=str(message.offer["target"]),
                    offer_id=str(message.offer["@id"]),
                    policy=dict(message.offer),
                    automation="approve",
                    created=self.now(),
                    updated=self.now(),
                )
            )
            self.moves.heard(work, ours, Move.OFFER, message)
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
            try:
                ours.state = negotiation.apply(State(ours.state), move, Role(ours.role).other)
            except IllegalMove:
                # Terms are never a repeat: whoever puts the same on the table again asks for another answer.
                terms = move in {Move.REQUEST, Move.OFFER}
                if not terms and said_again(work, ours, f"negotiation.{move}.received", messages.dump(message)):
                    return ours
                if not self._agreed_anew(work, ours, message):
                    raise
                self.moves.heard(work, ours, move, message)
                return ours
            ours.updated = self.now()
            self._take(work, ours, message)
            self.moves.heard(work, ours, move, message)
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
            if ours.state == event.state:
                self.moves.respond(work, ours)

    def act(self, event: NegotiationStepDue, participant: str) -> None:
        """Make the step of a script whose time has come, unless the negotiation has gone another way meanwhile."""
        with self.begin(participant) as work:
            ours = work.need(Negotiation, event.subject, lock=True)
            step = automation.next_step(ours.script, ours.step, ours.state)
            if ours.step == event.step and step is not None:
                self.moves.take_step(work, ours, step)

    async def send(self, event: NegotiationMessageDue, participant: str) -> None:
        """Tell the peer about our move.

        Raises:
            PeerFailed: the peer cannot be reached now; the outbox tries again.
        """
        with self.read(participant) as work:
            ours = work.need(Negotiation, event.subject)
            agreement = work.find(Agreement, ours.agreement_id) if ours.agreement_id else None
        if unheard(ours, event.opening, event.move is Move.TERMINATE):
            return
        if event.doubt and ours.state != negotiation.RESULTS[event.move]:
            return
        path, message = notices.message(ours, agreement, event, self.participant, self.address)
        await self.letters.tell(
            participant,
            ours,
            path,
            message,
            doubt=event.doubt,
            told=lambda state: negotiation.told(state, event.move, Role(ours.role)),
            again=lambda doubt: msgspec.structs.replace(event, doubt=doubt),
        )
        if not event.doubt and automation.next_step(ours.script, ours.step, ours.state) is not None:
            with self.begin(participant) as work:  # the next step of a script follows once the peer knows of this one
                work.emit(NegotiationMoved(subject=ours.pid, state=State(ours.state)))

    def undelivered(self, event: DeliveryFailed, participant: str) -> None:
        """End a negotiation whose counterparty could not be told of a move, with the reason."""
        if event.subscriber == "negotiations.send":
            self.letters.undelivered(participant, event.subject, event.reason)

    # --- inside -------------------------------------------------------------------------------------------------

    def _agreed_anew(self, work: Work, ours: Negotiation, message: NegotiationMessage) -> bool:
        """Take the agreement that a provider drew up a second time, before it is final, and say if it was that."""
        if not isinstance(message, messages.ContractAgreementMessage) or ours.state not in {
            State.AGREED,
            State.VERIFIED,
        }:
            return False
        signature = message.extra.get(SIGNATURE)
        return self.moves.agreements.replace(work, ours, message.agreement, signature)

    def _take(self, work: Work, ours: Negotiation, message: NegotiationMessage) -> None:
        """Keep what a message brings beside its move."""
        match message:
            case messages.ContractAgreementMessage():
                self.moves.agreements.take(work, ours, message.agreement, message.extra.get(SIGNATURE))
            case messages.ContractAgreementVerificationMessage():
                agreement = work.need(Agreement, ours.agreement_id, lock=True)
                self.moves.agreements.accept_countersignature(work, agreement, message.extra.get(SIGNATURE))
            case messages.ContractNegotiationTerminationMessage():
                ours.code, ours.reason, ours.pending = message.code, list(message.reason), None
            case messages.ContractOfferMessage() | messages.ContractRequestMessage():
                _check_terms(ours, message.offer)
                ours.policy, ours.pending = dict(message.offer), None
            case messages.ContractNegotiationEventMessage(event_type="FINALIZED"):
                self.moves.agreements.activate(work, ours)


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
    if is_accepted(terms, None if isinstance(accept, str) else accept):
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


def _opened(work: Work, sender: Principal, theirs: str, role: Role) -> Negotiation | None:
    """Return the negotiation that the same first message of a peer opened before."""
    found = work.find_by(Negotiation, peer=sender.participant, role=role.value, peer_pid=theirs)
    return found[0] if found else None


def _check_terms(ours: Negotiation, terms: Mapping[str, Any]) -> None:
    """Refuse other terms that are for another dataset, or that we do not understand and so could not be held to."""
    if terms.get("target", ours.dataset) != ours.dataset:
        raise InvalidInput(
            f"The terms are for {terms['target']!r}; this negotiation is about {ours.dataset!r}.",
            where="offer.target",
            fix="Open a negotiation of its own for another dataset.",
        )
    intake.read(terms)
