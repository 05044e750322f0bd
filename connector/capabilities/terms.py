"""Whether what a record says of its openness and what its offers ask agree.

An open licence lets everyone do everything; an offer that lets only some, or not everything, contradicts it: whoever
has the data under the one needs no agreement under the other. A high-value dataset may not be restricted at all
(Articles 3 and 4 of Implementing Regulation (EU) 2023/138).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pyoxigraph import NamedNode

from connector.errors import InvalidInput
from connector.standards.dcat import openness
from connector.standards.odrl import intake
from connector.standards.odrl.openness import closings
from connector.standards.rdf import Triples, full
from connector.storage.tables import Offer
from connector.storage.work import Work

FIX: Final = (
    "Offer the data under an open policy (the templates open and attribution), or have the record say what the offer"
    " says: another licence, or for what is not high-value no licence but a statement of rights."
)


def check(record: Triples, subject: str, offers: Mapping[str, Mapping[str, Any]], now: datetime) -> None:
    """Refuse a record, or an offer for it, where the two contradict each other.

    Args:
        record: the triples.
        subject: the dataset they describe.
        offers: the policies of its open offers, by their ids.
        now: when this is asked.

    Raises:
        InvalidInput: they do; the reasons are the contradictions.
    """
    reasons = contradictions(record, subject, offers, now)
    if reasons:
        raise InvalidInput(
            "The licence and the terms of the dataset contradict each other.", where=subject, reasons=reasons, fix=FIX
        )


def contradictions(record: Triples, subject: str, offers: Mapping[str, Mapping[str, Any]], now: datetime) -> list[str]:
    """Return what contradicts itself, in whole sentences; arguments as for `check`."""
    said = _Said(record, subject)
    closed = {key: closings(intake.read(policy), now) for key, policy in offers.items()}
    found = [*said.faults()]
    for key, reasons in closed.items():
        if reasons and said.high_value:
            found.append(
                f"The dataset is of high value and must be open to everyone, but the offer {key} is not: "
                + " ".join(reasons)
            )
        elif reasons and (licence := said.open_licence()):
            iri, why = licence
            found.append(f"The licence {iri} is open, but the offer {key} is not. {why} " + " ".join(reasons))
    return found


def open_policies(work: Work, dataset: str) -> dict[str, Mapping[str, Any]]:
    """Return the policies of the open offers of a dataset by their ids."""
    rows = work.find_by(Offer, dataset=dataset, state="open")
    return {row.id: row.policy for row in sorted(rows, key=lambda row: row.id)}


def is_closed(offers: Mapping[str, Mapping[str, Any]], now: datetime) -> bool:
    """Say whether a dataset is offered, and under closed terms only."""
    return bool(offers) and all(closings(intake.read(policy), now) for policy in offers.values())


class _Said:
    """What a record says of its openness."""

    def __init__(self, record: Triples, subject: str) -> None:
        self._values: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for each in record:
            key = each.subject.value if isinstance(each.subject, NamedNode) else str(each.subject)
            value = each.object.value if isinstance(each.object, NamedNode) else str(each.object)
            self._values[key][each.predicate.value].append(value)
        self._subject = subject
        parts = [subject, *self._of(subject, "dcat:distribution")]
        self.licences = sorted({licence for part in parts for licence in self._of(part, "dct:license")})
        self.high_value = bool(self._of(subject, "dcatap:hvdCategory")) or openness.HIGH_VALUE in self._of(
            subject, "dcatap:applicableLegislation"
        )

    def open_licence(self) -> tuple[str, str] | None:
        """Return an open licence of the dataset or of one of its distributions, and why it is one."""
        for iri in self.licences:
            for found in self._known(iri):
                if found.open:
                    return iri, found.reason
        return None

    def faults(self) -> Iterator[str]:
        """Yield what restricts a high-value dataset already by what its own record says."""
        if not self.high_value:
            return
        rights = self._of(self._subject, "dct:accessRights")
        if rights and openness.PUBLIC.isdisjoint(rights):
            yield f"The dataset is of high value and may not be restricted, but its access rights are {rights[0]}."
        for iri in self.licences:
            if not any(found.high_value for found in self._known(iri)):
                yield (
                    f"The dataset is of high value, for which CC0, CC BY 4.0 or a licence that asks for no more is"
                    f" allowed, but its licence is {iri}. {self._why_not(iri)}"
                )

    def _why_not(self, iri: str) -> str:
        known = self._known(iri)
        return known[0].reason if known else "Nothing is known of it: say with skos:exactMatch which licence it is."

    def _known(self, iri: str) -> Sequence[openness.Licence]:
        names = openness.names_of_licence(iri, dict(self._values[iri]))
        return [found for each in names if (found := openness.licence(each)) is not None]

    def _of(self, subject: str, name: str) -> list[str]:
        return self._values[subject][full(name)]
