"""What we do in a negotiation: our moves, inside the unit of work that makes them, and the rules by which we answer.

House rules of this file:

1. The law is `standards.dsp.negotiation`; the choice is `standards.dsp.automation`; the policy overrules both.
2. A move is its state, its evidence and the announcement to the peer, written together.
3. An answer looks at the state it finds, not at the one it was called for: it may come twice, or late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from connector.capabilities.agreements import Agreements
from connector.capabilities.evidence import Clock, NewId
from connector.capabilities.messenger import message_id
from connector.capabilities.notices import NegotiationMessageDue, NegotiationMoved, NegotiationStepDue
from connector.capabilities.offers import facts
from connector.capabilities.processes import APPROVAL
from connector.errors import IllegalMove
from connector.standards.dsp import automation, messages, negotiation
from connector.standards.dsp.negotiation import Move, NegotiationMessage, Role, State
from connector.standards.odrl import intake
from connector.standards.odrl.decide import Decision, judge
from connector.storage.tables import Agreement, Negotiation, Offer, Peer
from connector.storage.work import Work


@dataclass(frozen=True, slots=True)
class Moves:
    """Our side of negotiations, and what we hold of the other's."""

    now: Clock
    new_id: NewId
    participant: str
    agreements: Agreements

    def respond(self, work: Work, ours: Negotiation) -> None:
        """Make the move that follows from the state a negotiation is in, if it is ours to make."""
        if ours.pending is not None:
            return
        match Role(ours.role), State(ours.state):
            case Role.PROVIDER, State.REQUESTED | State.ACCEPTED:
                self._answer(work, ours)
            case _ if ours.automation == "scripted":
                self._follow(work, ours)
            case Role.PROVIDER, State.VERIFIED:
                self.make(work, ours, Move.FINALIZE, self.participant)
            case Role.CONSUMER, State.OFFERED:
                self._consider(work, ours)
            case Role.CONSUMER, State.AGREED if ours.automation != "none":
                self.make(work, ours, Move.VERIFY, self.participant)

    def heard(self, work: Work, ours: Negotiation, move: Move, message: NegotiationMessage) -> None:
        """Record a move of the peer's, whose message is its proof, and announce the state it led to."""
        body = msgspec.json.decode(messages.encode(message))
        work.record(ours.pid, f"negotiation.{move}.received", ours.peer, body, message_id(message))
        work.emit(NegotiationMoved(subject=ours.pid, state=State(ours.state)))

    def announce(self, work: Work, ours: Negotiation, move: Move, by: str, *, opening: bool = False) -> None:
        """Record a move of ours that led to the present state, and have the peer told of it."""
        key = f"urn:uuid:{self.new_id()}"
        body = {"message": key, "state": ours.state, "policy": ours.policy, "code": ours.code, "reason": ours.reason}
        work.record(ours.pid, f"negotiation.{move}", by, body)
        terms = ours.policy if move in {Move.REQUEST, Move.OFFER} else None
        work.emit(NegotiationMessageDue(subject=ours.pid, move=move, message=key, opening=opening, terms=terms))

    def move(self, work: Work, ours: Negotiation, move: Move, by: str) -> None:
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
        self.announce(work, ours, move, by)

    def terminate(self, work: Work, ours: Negotiation, code: str, why: list[str], by: str) -> None:
        """End the negotiation, with the code and the reasons that the peer is told."""
        if ours.state in negotiation.FINAL:
            raise IllegalMove(f"The negotiation is over: it is {ours.state}.", fix="Nothing is left to do.")
        ours.code, ours.reason, ours.pending = code, why, None
        self.move(work, ours, Move.TERMINATE, by)

    def _answer(self, work: Work, ours: Negotiation) -> None:
        """Decide, as provider, on a request, or on a yes to our own offer; what the policy forbids ends it."""
        decision = self.decide(work, ours)
        if not decision.permitted:
            self.terminate(work, ours, "policy", list(decision.reasons), self.participant)
        elif ours.automation == "scripted":
            self._follow(work, ours)
        elif ours.automation == "approve" and ours.state == State.REQUESTED:
            ours.pending = APPROVAL
        elif ours.automation == "accept" and not self._as_offered(work, ours):
            ours.pending = APPROVAL  # other terms than the offer's: nobody said yes to those beforehand
        elif ours.automation != "none":
            self.make(work, ours, Move.AGREE, self.participant)

    def decide(self, work: Work, ours: Negotiation) -> Decision:
        """Judge the terms on the table, and keep the decision as evidence."""
        offer = work.need(Offer, ours.offer_id)
        parties = {"assignee": offer.policy["assignee"]} if "assignee" in offer.policy else {}
        known = facts(self.now(), work.find(Peer, ours.peer), ours.peer, ours.claims, use=1)
        decision = judge({**ours.policy, **parties}, "use", known)
        work.record(ours.pid, "policy.decided", self.participant, _said(decision.permitted, decision.reasons))
        return decision

    def _as_offered(self, work: Work, ours: Negotiation) -> bool:
        """Tell whether the terms on the table are ours: those of the offer, or those that we proposed last."""
        return ours.state == State.ACCEPTED or intake.same(ours.policy, work.need(Offer, ours.offer_id).policy)

    def _consider(self, work: Work, ours: Negotiation) -> None:
        """Look, as consumer, at terms that are not those we asked for."""
        if ours.automation == "accept" and is_accepted(ours.policy, ours.accept):
            self.make(work, ours, Move.ACCEPT, self.participant)
        elif ours.automation != "none":
            ours.pending = APPROVAL

    def _follow(self, work: Work, ours: Negotiation) -> None:
        """Make the next step of a script, now or when its delay is over."""
        step = automation.next_step(ours.script, ours.step, ours.state)
        if step is None:
            return
        if step.after:
            due = self.now() + timedelta(seconds=step.after)
            work.emit(NegotiationStepDue(subject=ours.pid, step=ours.step), due)
        else:
            self.take_step(work, ours, step)

    def take_step(self, work: Work, ours: Negotiation, step: automation.Step) -> None:
        """Make a step of a script, unless the policy forbids what it would say yes to."""
        ours.step += 1
        move = Move(step.do)
        if move is Move.TERMINATE:
            self.terminate(work, ours, "scripted", [step.reason] if step.reason else [], self.participant)
        elif move is Move.AGREE and not (decision := self.decide(work, ours)).permitted:
            self.terminate(work, ours, "policy", list(decision.reasons), self.participant)
        else:
            self.make(work, ours, move, self.participant)

    def make(self, work: Work, ours: Negotiation, move: Move, by: str) -> None:
        """Make a move with what belongs to it beside the message."""
        match move:
            case Move.AGREE:
                self.agreements.draw_up(work, ours)
            case Move.VERIFY:
                self._verify(work, ours, by)
                return
            case Move.FINALIZE:
                self.agreements.activate(work, ours)
        self.move(work, ours, move, by)

    def _verify(self, work: Work, ours: Negotiation, by: str) -> None:
        """Check, as consumer, what the provider wants us to be bound by, and sign it or leave."""
        agreement = work.need(Agreement, ours.agreement_id, lock=True)
        if faults := self.agreements.faults(work, ours, agreement):
            self.terminate(work, ours, "agreement-refused", faults, self.participant)
            return
        self.agreements.countersign(work, agreement)
        self.move(work, ours, Move.VERIFY, by)


def is_accepted(terms: Mapping[str, Any], accept: Sequence[Mapping[str, Any]] | None) -> bool:
    """Tell whether terms are among the policies that somebody agrees to; none given means any."""
    return accept is None or any(intake.same(terms, policy) for policy in accept)


def _said(permitted: bool, why: Sequence[str]) -> dict[str, Any]:
    return {"permitted": permitted, "reasons": list(why)}
