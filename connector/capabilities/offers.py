"""Offers: the terms under which a dataset is given, and how a request for them is answered."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col

from connector.capabilities import terms
from connector.capabilities.evidence import Begin, Clock
from connector.capabilities.identity import Principal
from connector.errors import InvalidInput, NotFound
from connector.standards import rdf
from connector.standards.dsp import automation as rules
from connector.standards.dsp.automation import Automation
from connector.standards.dsp.negotiation import Role
from connector.standards.odrl import intake, templates
from connector.standards.odrl.decide import Facts
from connector.storage.events import Event
from connector.storage.tables import Dataset, Offer, Peer
from connector.storage.work import Work


class OfferMade(Event, frozen=True, kw_only=True):
    """A dataset is offered under new terms; `subject` is the dataset."""

    offer: str


class OfferClosed(Event, frozen=True, kw_only=True):
    """A dataset is no longer offered under these terms; `subject` is the dataset."""

    offer: str


@dataclass(frozen=True, slots=True)
class Offers:
    """The terms of our own datasets."""

    begin: Begin
    read: Begin
    now: Clock
    participant: str

    def make(
        self,
        dataset: str,
        policy: Mapping[str, Any],
        automation: Automation,
        by: Principal,
        script: Sequence[Any] = (),
    ) -> Offer:
        """Offer `dataset` under `policy`; offering the same terms again returns the offer that stands.

        Args:
            dataset: the dataset's IRI.
            policy: the terms.
            automation: the rule by which requests for them are answered, see `standards.dsp.automation`.
            by: who offers.
            script: the steps of a scripted rule.

        Raises:
            NotFound: there is no such dataset of ours in the catalog.
            InvalidInput: the policy has a term that this connector does not understand and so could not enforce, the
                script a step that the protocol does not allow, or the policy contradicts what the record says of its
                openness.
        """
        steps = rules.read(automation, script, "negotiation", Role.PROVIDER)
        offered = intake.write(intake.read(policy))
        mark = intake.fingerprint(offered)
        with self.begin(self.participant) as work:
            row = work.need(Dataset, self.participant, dataset)
            if row.state != "published":
                raise NotFound("dataset", dataset)
            if row.kind == "series":
                raise InvalidInput(
                    "A series is not offered itself.", where="dataset", fix="Offer the datasets that are in it."
                )
            key = offer_id(dataset, mark)
            record = rdf.parse(row.record, rdf.Format.N_TRIPLES)
            terms.check(record, dataset, {key: policy_of(key, offered, self.participant)}, self.now())
            if (ours := work.find(Offer, key, lock=True)) is not None:
                if (ours.state, ours.automation, ours.script) == ("open", automation, steps):
                    return ours
                ours.state, ours.automation, ours.script = "open", automation, steps
            else:
                ours = work.add(
                    Offer(
                        participant=self.participant,
                        id=key,
                        dataset=dataset,
                        policy=policy_of(key, offered, self.participant),
                        fingerprint=mark,
                        automation=automation,
                        script=steps,
                        created=self.now(),
                    )
                )
            body = {"dataset": dataset, "policy": ours.policy, "answer": automation, "script": steps}
            work.record(key, "offer.made", by.name, body)
            work.emit(OfferMade(subject=dataset, offer=key))
            return ours

    def from_template(
        self, dataset: str, template: str, values: Mapping[str, str], automation: Automation, by: Principal
    ) -> Offer:
        """Offer `dataset` under a policy template filled with `values`; errors as for `make`."""
        return self.make(dataset, templates.fill(template, **values), automation, by)

    def automate(self, key: str, automation: Automation, script: Sequence[Any], by: Principal) -> Offer:
        """Change how requests for an offer are answered; negotiations that have begun keep the rule they began with.

        Raises:
            NotFound: there is no such offer of ours.
            InvalidInput: no such rule, or a step that the protocol does not allow.
        """
        steps = rules.read(automation, script, "negotiation", Role.PROVIDER)
        with self.begin(self.participant) as work:
            ours = work.need(Offer, key, lock=True)
            if (ours.automation, ours.script) != (automation, steps):
                ours.automation, ours.script = automation, steps
                work.record(key, "offer.automated", by.name, {"answer": automation, "script": steps})
            return ours

    def close(self, key: str, by: Principal) -> Offer:
        """Take an offer back: it leaves the catalog, agreements made under it stay."""
        with self.begin(self.participant) as work:
            ours = work.need(Offer, key, lock=True)
            if ours.state != "closed":
                ours.state = "closed"
                work.record(key, "offer.closed", by.name, {"dataset": ours.dataset})
                work.emit(OfferClosed(subject=ours.dataset, offer=key))
            return ours

    def all(self, dataset: str | None = None) -> list[Offer]:
        """Return all our offers, or those of one dataset, oldest first."""
        with self.read(self.participant) as work:
            narrowed = [col(Offer.dataset) == dataset] if dataset else []
            return work.select(Offer, *narrowed, order_by=[col(Offer.created), col(Offer.id)])


def open_offers(work: Work, dataset: str) -> list[Offer]:
    """Return the offers under which `dataset` can be had now, oldest first."""
    conditions = [col(Offer.dataset) == dataset, col(Offer.state) == "open"]
    return work.select(Offer, *conditions, order_by=[col(Offer.created), col(Offer.id)])


def policy_of(key: str, terms: Mapping[str, Any], provider: str) -> dict[str, Any]:
    """Return terms as the offer that peers see."""
    return {**terms, "@id": key, "@type": "Offer", "assigner": provider}


def offer_id(dataset: str, mark: str) -> str:
    """Return the stable id of an offer: the same dataset under the same terms is always the same offer."""
    return f"urn:greendeal:offer:{hashlib.sha256(f'{dataset} {mark}'.encode()).hexdigest()[:32]}"


def facts(now: datetime, peer: Peer | None, party: str, claims: Mapping[str, Any], use: int | None) -> Facts:
    """Return what is known of a use by `party`.

    Args:
        now: the moment of the use.
        peer: what we know of the party through configuration, such as its country.
        party: its participant IRI, proved by its token.
        claims: what it stated when it negotiated, such as the purpose.
        use: which use this would be, counted from 1; None where no use is spent, as in a negotiation.
    """
    return Facts(
        now=now,
        purpose=claims.get("purpose"),
        recipient=party,
        spatial=peer.country if peer else None,
        count=use,
    )
