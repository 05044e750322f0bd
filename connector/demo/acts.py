"""The acts of the demo, in order: from files to data that was agreed on, fetched and opened.

Each ends with the same words in every run, whichever connectors are killed meanwhile.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from connector.client import Agreement, Draft, Hit, NegotiationTerminated, Transfer, open_file
from connector.demo.cast import (
    ARCHIVE,
    BUSINESS,
    CAST,
    CLIMATE,
    GERMANY,
    PROVIDERS,
    STATISTICS,
    WEATHER,
    Actor,
    Provider,
)
from connector.demo.fleet import Failed, Fleet
from connector.demo.stage import Stage
from connector.errors import Conflict, Denied, InvalidInput

MARKETING: Final = "https://w3id.org/dpv#Marketing"
ACCESS: Final = "http://publications.europa.eu/resource/authority/access-right/"
RESEARCH: Final = "https://w3id.org/dpv#AcademicResearch"
REASON: Final = "The licence was withdrawn."
SECONDS: Final = 90.0
"""How long a negotiation, crawl or transfer may take, when those who take part were killed meanwhile."""

QUERY: Final = """
PREFIX dcat: <http://www.w3.org/ns/dcat#>
PREFIX dct: <http://purl.org/dc/terms/>
PREFIX odrl: <http://www.w3.org/ns/odrl/2/>
SELECT ?title ?participant WHERE {
  GRAPH ?participant { ?dataset a dcat:Dataset ; dct:title ?title ; odrl:hasPolicy ?offer }
} ORDER BY ?title
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: who does what, what it takes on an idle machine, and whose connectors it needs."""

    who: str
    what: str
    act: Callable[[], str]
    seconds: float
    involved: Sequence[Actor]


@dataclass
class Acts:
    """What has happened so far; `steps` is what happens."""

    fleet: Fleet
    stage: Stage
    folder: Path
    drafts: dict[str, Draft] = field(default_factory=dict)
    hits: dict[str, Hit] = field(default_factory=dict)
    agreements: dict[str, Agreement] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    def steps(self) -> list[Step]:
        """Return what happens once the connectors run."""
        everyone = "All five"
        told = [Step(everyone, "exchange identities and trust each other", self.trust, 0.2, CAST)]
        told += [self._by(one, f"drafts a record from a {one.format} file", self.draft, 0.3) for one in PROVIDERS]
        told += [
            self._by(STATISTICS, "registers its record without a title", self.register_faulty, 0.2),
            self._by(STATISTICS, "registers the corrected record", self.register, 0.05),
        ]
        told += [self._by(one, "validates and registers its record", self.register, 0.3) for one in PROVIDERS[:3]]
        told += [self._by(one, "offers its dataset", self.offer, 0.07) for one in PROVIDERS]
        told += [self._with(one, f"crawls the {one.name}", self.crawl, 0.15) for one in PROVIDERS]
        told += [
            Step(BUSINESS.name, "asks by SPARQL what is offered", self.sparql, 0.4, [BUSINESS]),
            Step(BUSINESS.name, "searches for air temperature", self.search, 0.02, [BUSINESS]),
            self._with(WEATHER, "negotiates with the Weather service for Marketing", self.be_refused, 0.12),
            self._with(WEATHER, "negotiates with the Weather service for Academic Research", self.agree, 0.2),
        ]
        told += [self._with(one, f"negotiates with the {one.name}", self.agree, 0.2) for one in PROVIDERS[1:]]
        told += [self._with(one, f"pulls from the {one.name}", self.pull, 0.15) for one in PROVIDERS]
        told += [self._with(one, f"opens the {one.format} file", self.open, 0.02) for one in PROVIDERS]
        told += [
            self._with(CLIMATE, "pulls from the Climate centre again", self.pull_too_often, 0.1),
            self._by(WEATHER, "terminates the agreement", self.terminate, 0.08),
            self._with(WEATHER, "pulls from the Weather service again", self.pull_too_late, 0.06),
        ]
        return told

    def _by(self, one: Provider, what: str, act: Callable[[Provider], str], seconds: float) -> Step:
        return Step(one.name, what, lambda: act(one), seconds, [one])

    def _with(self, one: Provider, what: str, act: Callable[[Provider], str], seconds: float) -> Step:
        return Step(BUSINESS.name, what, lambda: act(one), seconds, [one, BUSINESS])

    # --- before there is anything to find ---------------------------------------------------------------------------

    def trust(self) -> str:
        """Let the business and each provider know each other's keys and address, brought by the demo itself."""
        business = self.fleet[BUSINESS].space
        for one in PROVIDERS:
            provider = self.fleet[one].space
            provider.trust(business.identity(), BUSINESS.name, GERMANY)
            business.trust(provider.identity(), one.name)
            self.stage.say(f"{one.name} and {BUSINESS.name} know each other's public keys.")
        return "the business and the four know each other's keys"

    def draft(self, one: Provider) -> str:
        """Upload a file and get the record that it supports."""
        draft = self.drafts[one.name] = self.fleet[one].space.draft(one.path)
        self.stage.say(f"format {draft.kind}: {draft.record['description']['en']}")
        facts = draft.draft
        for name in ("bbox", "temporal", "variables"):
            if facts[name]:
                source = facts["sources"].get(name, "default")
                self.stage.say(f"{name}, from the file's {source}: {json.dumps(facts[name])}")
        for note in draft.notes:
            self.stage.say(f"to be completed: {note}")
        return f"format {draft.kind}, {len(draft.notes)} things to complete"

    def register_faulty(self, one: Provider) -> str:
        """Register a record with a fault, and be told by SHACL what is wrong with it and how to mend it."""
        space, record = self.fleet[one].space, self.drafts[one.name].with_(title={})
        report = space.validate(record)
        for finding in (each for each in report["results"] if each["level"] == "structure"):
            self.stage.say(f"SHACL: {finding['message']} To fix it: {finding['fix']}")
        try:
            space.register(record)
        except InvalidInput:
            return f"refused by SHACL ({report['profile']}): {report['results'][0]['message']}"
        raise Failed("A record without a title was registered.", of=[one.participant])

    def register(self, one: Provider) -> str:
        """Complete the draft by hand, check it against the shapes, and publish it."""
        space, draft = self.fleet[one].space, self.drafts[one.name]
        (file,) = draft.record["distribution"]
        record = draft.with_(distribution=[{**file, **_terms(one)}], **_completed(one, draft.record))
        report = space.validate(record, one.profile)
        if not report["conforms"]:
            raise Failed(f"The record does not conform: {report['results'][0]['message']}", of=[one.participant])
        quality = space.register(record, one.profile)["quality"]
        corrected = "corrected: " if one is STATISTICS else ""
        self.stage.say(f"{corrected}SHACL has no objection: the record meets {report['profile']}.")
        for finding in report["results"][:3]:
            self.stage.say(f"to be better: {finding['message']} {finding['fix']}")
        self.stage.say(f"published: {one.about['title']}, {quality['points']} of {quality['max']} points of quality")
        return f"{corrected}meets {report['profile']}, {quality['rating']}, published"

    def offer(self, one: Provider) -> str:
        """Offer the dataset under a template of a policy."""
        space = self.fleet[one].space
        (dataset,) = space.datasets()
        space.offer(dataset["id"], template=one.template, values=one.values, automation="accept")
        sentence = next(each["sentence"] for each in space.templates() if each["name"] == one.template)
        self.stage.say(f"{one.template}: {sentence}")
        return f"under the policy {one.template}"

    # --- finding ----------------------------------------------------------------------------------------------------

    def crawl(self, one: Provider) -> str:
        """Copy a provider's catalog."""
        space = self.fleet[BUSINESS].space
        space.crawl(one.participant, timeout=SECONDS)
        hits = list(space.search(participant=one.participant))
        self.hits[one.name] = hits[0]
        self.stage.say(f"crawl: {hits[0].title}")
        return f"{len(hits)} dataset"

    def sparql(self) -> str:
        """Find every dataset that is offered, in whatever catalog."""
        rows = self.fleet[BUSINESS].space.sparql(QUERY)
        names = {one.participant: one.name for one in CAST}
        for row in rows:
            self.stage.say(f"SPARQL: {row['title']} ({names[row['participant']]})")
        return f"{len(rows)} datasets with offers, in {len({row['participant'] for row in rows})} graphs"

    def search(self) -> str:
        """Find by words."""
        hits = sorted(hit.title for hit in self.fleet[BUSINESS].space.search("air temperature"))
        for title in hits:
            self.stage.say(f"search: {title}")
        return f"{len(hits)} hits"

    # --- agreeing ---------------------------------------------------------------------------------------------------

    def be_refused(self, one: Provider) -> str:
        """Ask for a use that the offer does not allow."""
        try:
            self._negotiate(one, MARKETING)
        except NegotiationTerminated as refusal:
            (why,) = refusal.reasons
            self.stage.say(f"refused because: {why}")
            return f"refused: {why.partition(':')[0]}"
        raise Failed("The offer was given for a purpose that it excludes.", of=[one.participant])

    def agree(self, one: Provider) -> str:
        """Negotiate to an agreement that both have signed; for the first provider only the purpose is another one."""
        agreement = self.agreements[one.name] = self._negotiate(one, RESEARCH)
        names = {each.participant: each.name for each in CAST}
        for participant, signature in sorted(agreement.state["signatures"].items()):
            self.stage.say(f"agreement signed by the {names[participant]}: …{signature[-24:]}")
        return "agreement signed by both"

    def _negotiate(self, one: Provider, purpose: str) -> Agreement:
        return self.hits[one.name].negotiate(accept="any", purpose=purpose, timeout=SECONDS)

    # --- using ------------------------------------------------------------------------------------------------------

    def pull(self, one: Provider) -> str:
        """Fetch the bytes under the agreement; the weather service's transfer goes on, the others are completed."""
        transfer = self.transfers[one.name] = self.agreements[one.name].transfer(timeout=SECONDS)
        path = self.files[one.name] = transfer.fetch(self.folder)
        if one is not WEATHER:
            transfer.complete()
        self.stage.say(f"pulled {path.stat().st_size} bytes: {path.name}")
        return f"pulled {path.stat().st_size} bytes"

    def open(self, one: Provider) -> str:
        """Open the file with the library of its field, and show a value of it."""
        shown = VALUES[one.name](open_file(self.files[one.name]))
        self.stage.say(f"opened in {one.library}: {shown}")
        return f"opened in {one.library}: {shown}"

    def pull_too_often(self, one: Provider) -> str:
        """Ask once more than the agreement allows."""
        try:
            self.agreements[one.name].transfer(timeout=SECONDS)
        except Denied as refusal:
            self.stage.say(f"refused because: {' '.join(refusal.reasons)}")
            return f"refused: {refusal.reasons[0].partition(':')[0]}"
        raise Failed("More was given than the agreement allows.", of=[one.participant])

    def terminate(self, one: Provider) -> str:
        """End the agreement as its provider; its running transfer ends on both sides."""
        self.fleet[one].space.agreement(self.agreements[one.name].id).terminate(REASON)
        transfer = self.transfers[one.name]
        self.fleet[BUSINESS].space.connection.wait(
            lambda: transfer.state, lambda seen: seen["state"] == "TERMINATED", SECONDS, "The end of the transfer"
        )
        self.stage.say(f"terminated: {REASON} The business has heard of it.")
        return f"terminated: {REASON}"

    def pull_too_late(self, one: Provider) -> str:
        """Try to fetch under the transfer that ran, and under a new one."""
        try:
            self.transfers[one.name].fetch(self.folder)
        except Conflict as refusal:
            self.stage.say(f"refused: {refusal.message}")
        else:
            raise Failed("Bytes were given under an agreement that has ended.", of=[one.participant])
        try:
            self.agreements[one.name].transfer(timeout=SECONDS)
        except Denied as refusal:
            self.stage.say(f"refused because: {refusal.reasons[0]}")
            return f"refused: {refusal.reasons[0]}"
        raise Failed("A transfer began under an agreement that has ended.", of=[one.participant])


def _completed(one: Provider, record: dict[str, Any]) -> dict[str, Any]:
    """Return what a provider adds to the record of its file: what the file cannot say, or does not."""
    about = one.about
    name = f"{one.name}, data desk"
    found: dict[str, Any] = {
        "title": {"en": about["title"]},
        "description": {"en": f"{about['title']}. {about['origin']}."},
        "identifier": record.get("identifier") or [one.file],
        "publisher": {"id": one.participant, "name": {"en": one.name}},
        "contact_point": [{"name": {"en": name}, "email": f"data@{one.participant.removeprefix('did:web:')}"}],
        "theme": [about["theme"]],
        "access_rights": ACCESS + ("PUBLIC" if one.is_open else "RESTRICTED"),
        "provenance": [{"description": {"en": about["origin"]}}],
    }
    return found | ({"spatial": [{"id": about["place"]}]} if "place" in about else {})


def _terms(one: Provider) -> dict[str, Any]:
    """Return what a record says of its terms: the licence where the offer is open, else whose data these are.

    An open licence and a closed offer contradict each other, and the connector would refuse them; the demo's files are
    open, and stand for data that are not.
    """
    if one.is_open:
        return {"licence": one.about["licence"]}
    words = (
        f"{one.about['licence_text']}: {one.about['attribution']}. Here under the terms of the offer, as an example."
    )
    return {"rights": [{"description": {"en": words}}]}


def _kelvin(data: Any, name: str) -> str:
    return f"mean air temperature {float(data[name].mean()):.2f} K over {data[name].size} values"


def _image(data: Any) -> str:
    bands = data.read()
    return f"{data.count} bands of {data.width} x {data.height} pixels, mean of red {float(bands[0].mean()):.2f}"


def _table(data: Any) -> str:
    total = float(data["OBS_VALUE"].sum())
    return f"{len(data)} observations, sum {total:.0f}"


VALUES: Final[dict[str, Callable[[Any], str]]] = {
    WEATHER.name: lambda data: _kelvin(data, "t2m"),
    ARCHIVE.name: _image,
    CLIMATE.name: lambda data: _kelvin(data, "air"),
    STATISTICS.name: _table,
}
