"""Agreements: what both sides hold each other to, signed by both, and ended by either."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import col

from connector.capabilities.evidence import Begin, Clock, NewId
from connector.capabilities.identity import Principal
from connector.errors import Conflict, InvalidInput, NotFound
from connector.standards.dsp import automation as rules
from connector.standards.dsp.automation import Automation
from connector.standards.dsp.negotiation import Role
from connector.standards.odrl import intake
from connector.standards.rdf import GD
from connector.standards.vc import tokens
from connector.storage.events import Event
from connector.storage.tables import Agreement, Negotiation, Peer
from connector.storage.work import Work

SIGNATURE: Final = f"{GD}signature"
"""Key under which an agreement's signature travels in protocol messages; peers that do not know it ignore it."""

Sign = Callable[[Mapping[str, Any]], str]
"""Signs a JSON document with our key: a detached JWS over its canonical form."""


class AgreementEnded(Event, frozen=True, kw_only=True):
    """An agreement was terminated by one side; `subject` is the agreement."""

    reason: str


@dataclass(frozen=True, slots=True)
class Agreements:
    """Agreements of this participant, as provider and as consumer."""

    begin: Begin
    read: Begin
    now: Clock
    new_id: NewId
    participant: str
    sign: Sign

    def draw_up(self, work: Work, negotiation: Negotiation) -> Agreement:
        """Write, as provider, the agreement on the terms on the table, with our signature.

        The rules are the request's own, untouched: peers compare them with what they asked for.
        """
        key = f"urn:uuid:{self.new_id()}"
        terms = {**negotiation.policy}
        terms.update(
            {
                "@id": key,
                "@type": "Agreement",
                "target": negotiation.dataset,
                "assigner": self.participant,
                "assignee": negotiation.peer,
                "timestamp": self.now().isoformat(timespec="seconds").replace("+00:00", "Z"),
            }
        )
        return self._add(work, negotiation, terms, {self.participant: self.sign(terms)})

    def take(self, work: Work, negotiation: Negotiation, terms: Mapping[str, Any], signature: object) -> Agreement:
        """Keep, as consumer, the agreement that the provider sent, with its signature where it gave one."""
        signed = {negotiation.peer: signature} if isinstance(signature, str) else {}
        return self._add(work, negotiation, terms, signed)

    def replace(self, work: Work, negotiation: Negotiation, terms: Mapping[str, Any], signature: object) -> bool:
        """Take, as consumer, an agreement in the place of one with another id and moment, and say whether it is one.

        Eclipse EDC now and then draws up its agreement twice, and knows the second one from then on. It is verified
        as the first one was; one that is in force is not replaced.
        """
        held = work.find(Agreement, negotiation.agreement_id, lock=True) if negotiation.agreement_id else None
        if held is None or (held.role, held.state) != (Role.CONSUMER, "pending") or held.id == terms["@id"]:
            return False
        if _lasting(held.policy) != _lasting(terms):
            return False
        verified = self.participant in held.signatures
        work.delete(held)
        made = self.take(work, negotiation, terms, signature)
        if verified:
            if faults := self.faults(work, negotiation, made):
                raise InvalidInput(faults[0], where="agreement", fix="Send the agreement that was requested.")
            self.countersign(work, made)
        return True

    def faults(self, work: Work, negotiation: Negotiation, agreement: Agreement) -> list[str]:
        """Return what keeps us from verifying a provider's agreement; an empty list means that it may be verified."""
        found = []
        terms, peer = agreement.policy, negotiation.peer
        if not intake.same(terms, negotiation.policy):
            found.append("The rules of the agreement are not those that were requested.")
        for field, expected in (("target", negotiation.dataset), ("assignee", self.participant), ("assigner", peer)):
            if terms.get(field) != expected:
                found.append(f"The {field} of the agreement is {terms.get(field)!r}, not {expected!r}.")
        if (fault := self._signature_fault(work, agreement)) is not None:
            found.append(fault)
        return found

    def countersign(self, work: Work, agreement: Agreement) -> str:
        """Sign the agreement as it stands, record both sides' signatures as evidence, and return ours."""
        ours = self.sign(agreement.policy)
        agreement.signatures = {**agreement.signatures, self.participant: ours}
        self.record_signatures(work, agreement)
        return ours

    def accept_countersignature(self, work: Work, agreement: Agreement, signature: object) -> None:
        """Keep the consumer's signature; without one the agreement stands and the evidence says so.

        Raises:
            InvalidInput: there is a signature and it is not the consumer's over this agreement.
        """
        if isinstance(signature, str):
            agreement.signatures = {**agreement.signatures, agreement.peer: signature}
            if (fault := self._signature_fault(work, agreement)) is not None:
                raise InvalidInput(fault, where=SIGNATURE, fix="Sign the agreement as it was sent, with your own key.")
        self.record_signatures(work, agreement)

    def record_signatures(self, work: Work, agreement: Agreement) -> None:
        """Write down who signed, and who did not."""
        missing = sorted({self.participant, agreement.peer} - agreement.signatures.keys())
        body = {"agreement": agreement.policy, "signatures": agreement.signatures, "not_signed_by": missing}
        work.record(agreement.id, "agreement.signed", self.participant, body)

    def activate(self, work: Work, negotiation: Negotiation) -> Agreement:
        """Put the agreement of a finalized negotiation into force."""
        agreement = work.need(Agreement, negotiation.agreement_id, lock=True)
        agreement.state = "active"
        work.record(agreement.id, "agreement.active", self.participant, {"negotiation": negotiation.pid})
        return agreement

    def terminate(self, key: str, reason: str, by: Principal) -> Agreement:
        """End an agreement at once: nothing more is given or asked for under it.

        The protocol has no message for this; its running transfers are terminated, which the peer does hear.

        Raises:
            NotFound: there is no such agreement.
            Conflict: it was ended before, for another reason.
        """
        with self.begin(self.participant) as work:
            ours = work.need(Agreement, key, lock=True)
            if ours.state == "terminated":
                if ours.reason != reason:
                    raise Conflict(
                        f"The agreement {key!r} has ended already: {ours.reason}", fix="Nothing is left to do."
                    )
                return ours
            ours.state, ours.reason, ours.ended = "terminated", reason, self.now()
            work.record(key, "agreement.terminated", by.name, {"reason": reason})
            work.emit(AgreementEnded(subject=key, reason=reason))
            return ours

    def automate(self, key: str, automation: Automation, script: Sequence[Any], by: Principal) -> Agreement:
        """Change what happens by itself in transfers under an agreement; those that have begun keep their rule.

        Raises:
            NotFound: there is no such agreement.
            InvalidInput: no such rule, or a step that the protocol does not allow us.
        """
        with self.begin(self.participant) as work:
            ours = work.need(Agreement, key, lock=True)
            steps = rules.read(automation, script, "transfer", Role(ours.role))
            if (ours.automation, ours.script) != (automation, steps):
                ours.automation, ours.script = automation, steps
                work.record(key, "agreement.automated", by.name, {"answer": automation, "script": steps})
            return ours

    def get(self, key: str) -> Agreement:
        """Return one agreement, or raise NotFound."""
        with self.read(self.participant) as work:
            return work.need(Agreement, key)

    def all(self) -> list[Agreement]:
        """Return all agreements, newest first."""
        with self.read(self.participant) as work:
            return work.select(Agreement, order_by=[col(Agreement.created).desc(), col(Agreement.id)])

    def _add(
        self, work: Work, negotiation: Negotiation, terms: Mapping[str, Any], signatures: Mapping[str, Any]
    ) -> Agreement:
        negotiation.agreement_id = terms["@id"]
        return work.add(
            Agreement(
                participant=self.participant,
                id=terms["@id"],
                negotiation=negotiation.pid,
                role=negotiation.role,
                peer=negotiation.peer,
                dataset=negotiation.dataset,
                policy=dict(terms),
                claims=negotiation.claims,
                signatures=dict(signatures),
                state="pending",
                created=self.now(),
            )
        )

    def _signature_fault(self, work: Work, agreement: Agreement) -> str | None:
        """Say what is wrong with the peer's signature; a missing one is no fault, it is marked in the evidence."""
        signature, peer = agreement.signatures.get(agreement.peer), work.find(Peer, agreement.peer)
        if signature is None or peer is None:
            return None
        try:
            tokens.verify_document(agreement.policy, signature, peer.keys)
        except InvalidInput as refusal:
            return f"The signature of {agreement.peer} on the agreement does not hold: {refusal.message}"
        return None


def _lasting(terms: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in terms.items() if key not in {"@id", "timestamp"}}


def need_active(work: Work, key: str, peer: str, role: Role) -> Agreement:
    """Return the agreement in force with `peer` in which we are `role`, locked for this unit of work.

    Raises:
        NotFound: there is none with this peer; one with somebody else looks the same.
        Conflict: it is not in force; the reason says why.
    """
    ours = work.find(Agreement, key, lock=True)
    if ours is None or ours.peer != peer or ours.role != role:
        raise NotFound("agreement", key)
    if ours.state != "active":
        raise Conflict(why_not(ours), fix="Negotiate a new agreement.")
    return ours


def why_not(agreement: Agreement) -> str:
    """Say why nothing can be had under an agreement that is not in force."""
    if agreement.state == "terminated":
        return f"The agreement was terminated: {agreement.reason}"
    return "The agreement is not yet in force: the negotiation has not been finalized."
