"""The metadata quality assessment of data.europa.eu: 23 indicators, 405 points, and what to do next for more of them.

Pure: whether addresses work and whether the record conforms is told, never looked up here. The methodology as read:

1. Of several distributions the one with the most points for interoperability counts, of equals the better one.
2. An address works when one of those given answered 2xx. What was never checked earns nothing, and is said to be so.
3. What is not public has no public address: its accessibility does not apply and the maximum is less by that; the
   rating goes by the share of what applies.
4. A catalog has, per indicator, the share of datasets or distributions that pass, times the points.

`vocab/quality-indicators.toml` has the points and the words.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct
from pyoxigraph import BlankNode, NamedNode, Triple
from pyoxigraph import Literal as RdfLiteral

from connector import library
from connector.standards.dcat import openness
from connector.standards.rdf import full

VOCABULARY: Final = "https://piveau.eu/ns/voc#"
MOST: Final = 405

Outcome: TypeAlias = Literal["passed", "failed", "not checked", "not applicable"]
Rating: TypeAlias = Literal["excellent", "good", "sufficient", "bad"]
RATINGS: Final[tuple[tuple[int, Rating], ...]] = ((351, "excellent"), (221, "good"), (121, "sufficient"), (0, "bad"))
"""From how many points of 405 on a rating is given."""

DIMENSIONS: Final = ("findability", "accessibility", "interoperability", "reusability", "contextuality")
_SHOWN: Final = 3
_OK: Final = range(200, 300)


class Definition(Struct, frozen=True, forbid_unknown_fields=True):
    """One indicator as the methodology has it: its metric's name, its points, what it is computed on, and the words."""

    metric: str
    dimension: str
    points: int
    on: Literal["dataset", "distribution", "either"]
    label: dict[str, str]
    fix: dict[str, str]
    example: str


class Status(Struct, frozen=True, kw_only=True):
    """How an address answered: its HTTP status, 0 for no answer, and when that was, ISO 8601."""

    code: int
    at: str | None = None


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an indicator was seen by: a statement of the record, or the answer of an address."""

    subject: str
    property: str
    value: str
    note: str | None = None


class Indicator(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One indicator of one dataset; `value` is the measured one, a status code where addresses were asked."""

    metric: str
    dimension: str
    label: str
    outcome: Outcome
    points: int
    max: int
    value: bool | int | None = None
    evidence: tuple[Evidence, ...] = ()


class Dimension(Struct, frozen=True, kw_only=True):
    """One dimension; `max` is less than usual where indicators do not apply."""

    name: str
    points: float
    max: int


class Fix(Struct, frozen=True, kw_only=True):
    """A thing to do for `points` more: where, in words, and how it is written."""

    metric: str
    points: int
    subject: str
    label: str
    words: str
    example: str


class Score(Struct, frozen=True, kw_only=True):
    """The score of one dataset; `distribution` is the one that counts."""

    id: str
    points: int
    max: int
    rating: Rating
    closed: bool
    distribution: str | None
    dimensions: tuple[Dimension, ...]
    indicators: tuple[Indicator, ...]
    fixes: tuple[Fix, ...]


class Share(Struct, frozen=True, kw_only=True):
    """One indicator of a catalog: how many pass, of how many that it applies to, and how many were never checked."""

    metric: str
    dimension: str
    label: str
    passing: int
    population: int
    unchecked: int
    points: float
    max: int


class CatalogScore(Struct, frozen=True, kw_only=True):
    """The score of a catalog; it has no rating without a dataset."""

    datasets: int
    distributions: int
    points: float
    max: int
    rating: Rating | None
    dimensions: tuple[Dimension, ...]
    indicators: tuple[Share, ...]


_Seen: TypeAlias = tuple[Outcome, bool | int | None, tuple[Evidence, ...]]


@cache
def definitions() -> tuple[Definition, ...]:
    """Return the indicators in the order of the methodology."""
    listed = tomllib.loads(library.read("vocab", "quality-indicators.toml").decode())["indicator"]
    return msgspec.convert(listed, tuple[Definition, ...])


def rating(points: float, most: int) -> Rating:
    """Return the rating of `points` where `most` could be had."""
    scaled = points * MOST / most if most else 0
    return next(name for least, name in RATINGS if scaled >= least)


class Assessment:
    """What the indicators see in one record.

    Args:
        record: its triples.
        subject: the dataset, or series.
        compliant: whether it conforms to the structure of DCAT-AP; None where that was not checked.
        status: how addresses answered; those that are missing were not checked.
        closed: whether the data are not for the public; None: the record's access rights say so.
    """

    def __init__(
        self,
        record: Iterable[Triple],
        subject: str,
        *,
        compliant: bool | None,
        status: Mapping[str, Status] | None = None,
        closed: bool | None = None,
    ) -> None:
        self.id = subject
        self._said = _index(record)
        self._status = status or {}
        rights = self._values(subject, "dct:accessRights")
        self.closed = bool(rights) and openness.PUBLIC.isdisjoint(rights) if closed is None else closed
        self._compliant = compliant
        self._rights = rights
        self.distributions = {each: self._distribution(each) for each in self._values(subject, "dcat:distribution")}
        self.counting = min(self.distributions, key=self._order, default=None)
        self.dataset = self._dataset()

    def score(self, *languages: str) -> Score:
        """Return the score with its words in the first of `languages` that they are written in, else in English."""
        indicators = tuple(self._indicator(each, languages) for each in definitions())
        points, most = sum(each.points for each in indicators), sum(each.max for each in indicators)
        fixes = (self._fix(given, found, languages) for given, found in zip(definitions(), indicators, strict=True))
        return Score(
            id=self.id,
            points=points,
            max=most,
            rating=rating(points, most),
            closed=self.closed,
            distribution=self.counting,
            dimensions=_dimensions((each.dimension, each.points, each.max) for each in indicators),
            indicators=indicators,
            fixes=tuple(sorted((fix for fix in fixes if fix), key=lambda fix: -fix.points)),
        )

    def outcomes(self, given: Definition) -> list[Outcome]:
        """Return how the population of an indicator fares: the dataset, or each of its distributions."""
        if given.on == "distribution":
            return [found[given.metric][0] for found in self.distributions.values()]
        return [self.seen(given)[0]]

    def seen(self, given: Definition) -> _Seen:
        """Return what an indicator sees of the dataset and the distribution that counts."""
        counting = self.distributions.get(self.counting or "", {})
        if given.on == "dataset":
            return self.dataset[given.metric]
        if given.on == "either" and self.dataset[given.metric][0] == "passed":
            return self.dataset[given.metric]
        return counting.get(given.metric, self._without(given))

    def _without(self, given: Definition) -> _Seen:
        """Return what an indicator sees where there is no distribution."""
        applies = not self.closed or given.dimension != "accessibility"
        return ("failed", False, ()) if applies else ("not applicable", None, ())

    def _indicator(self, given: Definition, languages: Sequence[str]) -> Indicator:
        outcome, value, evidence = self.seen(given)
        return Indicator(
            metric=given.metric,
            dimension=given.dimension,
            label=_words(given.label, languages),
            outcome=outcome,
            points=given.points if outcome == "passed" else 0,
            max=0 if outcome == "not applicable" else given.points,
            value=value,
            evidence=evidence,
        )

    def _fix(self, given: Definition, found: Indicator, languages: Sequence[str]) -> Fix | None:
        if found.points == found.max:
            return None
        subject = self.counting if given.on == "distribution" and self.counting else self.id
        words = {"label": found.label, "words": _words(given.fix, languages), "example": given.example}
        return Fix(metric=given.metric, points=given.points, subject=subject, **words)

    def _order(self, distribution: str) -> tuple[int, int, str]:
        found = self.distributions[distribution]
        earned = [each for each in definitions() if found.get(each.metric, ("failed",))[0] == "passed"]
        within = sum(each.points for each in earned if each.dimension == "interoperability")
        return -within, -sum(each.points for each in earned), distribution

    # --- what is seen -----------------------------------------------------------------------------------------------

    def _dataset(self) -> dict[str, _Seen]:
        here = self.id
        compliance: Outcome = "not checked" if self._compliant is None else "passed" if self._compliant else "failed"
        listed = [each for each in self._rights if openness.is_access_right(each)]
        return {
            "keywordAvailability": self._present(here, "dcat:keyword"),
            "categoryAvailability": self._present(here, "dcat:theme"),
            "spatialAvailability": self._present(here, "dct:spatial"),
            "temporalAvailability": self._present(here, "dct:temporal"),
            "dcatApCompliance": (compliance, self._compliant, ()),
            "accessRightsAvailability": self._present(here, "dct:accessRights"),
            "accessRightsVocabularyAlignment": _shown(here, [("dct:accessRights", each) for each in listed]),
            "contactPointAvailability": self._present(here, "dcat:contactPoint"),
            "publisherAvailability": self._present(here, "dct:publisher"),
            "dateIssuedAvailability": self._present(here, "dct:issued"),
            "dateModifiedAvailability": self._present(here, "dct:modified"),
        }

    def _distribution(self, here: str) -> dict[str, _Seen]:
        given = [(name, each) for name in ("dct:format", "dcat:mediaType") for each in self._values(here, name)]
        listed = given if all(openness.is_from_list(each) for _, each in given) else []
        licences = [each for each in self._values(here, "dct:license") if self._is_known(each)]
        free = [each for each in given if openness.is_non_proprietary(each[1])]
        readable = [each for each in given if openness.is_machine_readable(each[1])]
        found = {
            "formatAvailability": self._present(here, "dct:format"),
            "mediaTypeAvailability": self._present(here, "dcat:mediaType"),
            "formatMediaTypeVocabularyAlignment": _shown(here, listed),
            "formatMediaTypeNonProprietary": _shown(here, free),
            "formatMediaTypeMachineInterpretable": _shown(here, readable),
            "licenceAvailability": self._present(here, "dct:license"),
            "knownLicence": _shown(here, [("dct:license", each) for each in licences]),
            "rightsAvailability": self._present(here, "dct:rights"),
            "byteSizeAvailability": self._present(here, "dcat:byteSize"),
            "dateIssuedAvailability": self._present(here, "dct:issued"),
            "dateModifiedAvailability": self._present(here, "dct:modified"),
        }
        if self.closed:
            nothing: _Seen = ("not applicable", None, ())
            access = ("accessUrlStatusCode", "downloadUrlAvailability", "downloadUrlStatusCode")
            return {**found, **dict.fromkeys(access, nothing)}
        return {
            **found,
            "accessUrlStatusCode": self._answered(here, "dcat:accessURL"),
            "downloadUrlAvailability": self._present(here, "dcat:downloadURL"),
            "downloadUrlStatusCode": self._answered(here, "dcat:downloadURL"),
        }

    def _values(self, subject: str, name: str) -> list[str]:
        return self._said.get(subject, {}).get(full(name), [])

    def _present(self, subject: str, name: str) -> _Seen:
        return _shown(subject, [(name, each) for each in self._values(subject, name)])

    def _is_known(self, iri: str) -> bool:
        names = openness.names_of_licence(iri, self._said.get(iri, {}))
        return any(map(openness.is_known_licence, names))

    def _answered(self, subject: str, name: str) -> _Seen:
        """Return how the addresses answered; without an address there is nothing to check and nothing to earn."""
        addresses = self._values(subject, name)
        asked = [(each, self._status[each]) for each in addresses if each in self._status]
        if not asked:
            return ("not checked", None, ()) if addresses else ("failed", False, ())
        asked.sort(key=lambda each: (each[1].code not in _OK, each[0]))
        seen = tuple(
            Evidence(subject=subject, property=full(name), value=address, note=_answer(status))
            for address, status in asked[:_SHOWN]
        )
        best = asked[0][1].code
        return "passed" if best in _OK else "failed", best, seen


class Survey:
    """The score of a catalog, dataset by dataset."""

    def __init__(self) -> None:
        self.datasets = 0
        self.distributions = 0
        self._count: dict[str, defaultdict[Outcome, int]] = {each.metric: defaultdict(int) for each in definitions()}

    def add(self, found: Assessment) -> None:
        """Count one dataset."""
        self.datasets += 1
        self.distributions += len(found.distributions)
        for given in definitions():
            for outcome in found.outcomes(given):
                self._count[given.metric][outcome] += 1

    def score(self, *languages: str) -> CatalogScore:
        """Return the score of what was added."""
        shares = tuple(self._share(each, languages) for each in definitions())
        points, most = sum(each.points for each in shares), sum(each.max for each in shares)
        return CatalogScore(
            datasets=self.datasets,
            distributions=self.distributions,
            points=round(points, 1),
            max=most,
            rating=rating(points, most) if self.datasets else None,
            dimensions=_dimensions((each.dimension, each.points, each.max) for each in shares),
            indicators=shares,
        )

    def _share(self, given: Definition, languages: Sequence[str]) -> Share:
        count = self._count[given.metric]
        population = count["passed"] + count["failed"] + count["not checked"]
        applies = population or not count["not applicable"]
        return Share(
            metric=given.metric,
            dimension=given.dimension,
            label=_words(given.label, languages),
            passing=count["passed"],
            population=population,
            unchecked=count["not checked"],
            points=round(given.points * count["passed"] / population, 2) if population else 0.0,
            max=given.points if applies else 0,
        )


def addresses(record: Iterable[Triple]) -> list[str]:
    """Return the addresses in a record whose answers the score depends on, in order."""
    wanted = {full("dcat:accessURL"), full("dcat:downloadURL")}
    return sorted(
        {each.object.value for each in record if each.predicate.value in wanted and isinstance(each.object, NamedNode)}
    )


def _shown(subject: str, said: Sequence[tuple[str, str]]) -> _Seen:
    """Return a pass with the statements that make it one, pairs of property and value; a failure without any."""
    seen = tuple(Evidence(subject=subject, property=full(name), value=value) for name, value in said[:_SHOWN])
    return "passed" if said else "failed", bool(said), seen


def _answer(status: Status) -> str:
    what = f"answered {status.code}" if status.code else "did not answer"
    return f"{what} at {status.at}" if status.at else what


def _index(record: Iterable[Triple]) -> dict[str, dict[str, list[str]]]:
    """Return what the record says: values by property by subject, blank nodes with `_:` before their names."""
    said: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for each in record:
        said[_key(each.subject)][each.predicate.value].append(_key(each.object))
    return {subject: {name: sorted(values) for name, values in each.items()} for subject, each in said.items()}


def _key(term: object) -> str:
    if isinstance(term, BlankNode):
        return f"_:{term.value}"
    assert isinstance(term, NamedNode | RdfLiteral)  # noqa: S101 - records have no other terms
    return term.value


def _dimensions(parts: Iterable[tuple[str, float, int]]) -> tuple[Dimension, ...]:
    totals = {name: [0.0, 0] for name in DIMENSIONS}
    for name, points, most in parts:
        totals[name][0] += points
        totals[name][1] += most
    return tuple(
        Dimension(name=name, points=round(points, 1), max=int(most)) for name, (points, most) in totals.items()
    )


def _words(texts: Mapping[str, str], languages: Sequence[str]) -> str:
    return next((texts[each] for each in languages if each in texts), texts["en"])


def _lines(score: Score) -> Iterator[str]:
    yield f"{score.points} of {score.max} points: {score.rating}"
    for each in score.dimensions:
        yield f"- {each.name}: {each.points:g} of {each.max}"
    for fix in score.fixes:
        yield f"+{fix.points} {fix.label}: {fix.words} Such as: {fix.example}"


def text(score: Score) -> str:
    """Return a score for people: the dimensions, then what to do next, the most points first."""
    return "\n".join(_lines(score))
