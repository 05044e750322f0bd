"""The quality score: the points of the methodology, what they are seen by, and what to do for more of them."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import NamedNode, Triple

from connector.standards import rdf
from connector.standards.dcat import openness, quality, shacl
from connector.standards.dcat.dqv import catalog_measurements, measurements
from connector.standards.dcat.quality import Assessment, Score, Status, Survey, definitions

KEY = "https://data.example/rain"
FILE = "https://data.example/rain#csv"
HEAD = """
@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> . @prefix eu: <http://publications.europa.eu/resource/authority/> .
@prefix vcard: <http://www.w3.org/2006/vcard/ns#> . @prefix iana: <https://www.iana.org/assignments/media-types/text/> .
"""
DATASET = {
    "keywordAvailability": 'dcat:keyword "rain"@en',
    "categoryAvailability": "dcat:theme <http://publications.europa.eu/resource/authority/data-theme/ENVI>",
    "spatialAvailability": "dct:spatial <http://publications.europa.eu/resource/authority/country/DEU>",
    "temporalAvailability": "dct:temporal [ a dct:PeriodOfTime ]",
    "accessRightsAvailability": "dct:accessRights <http://publications.europa.eu/resource/authority/access-right/PUBLIC>",
    "contactPointAvailability": 'dcat:contactPoint [ a vcard:Kind ; vcard:fn "Desk" ]',
    "publisherAvailability": 'dct:publisher [ a foaf:Agent ; foaf:name "Service" ]',
    "dateIssuedAvailability": 'dct:issued "2024-05-01"^^xsd:date',
    "dateModifiedAvailability": 'dct:modified "2024-06-01"^^xsd:date',
}
"""What earns the points of each indicator of the dataset, and of no other but one that goes with it."""
DISTRIBUTION = {
    "downloadUrlAvailability": "dcat:downloadURL <https://data.example/rain.csv>",
    "formatAvailability": "dct:format <http://publications.europa.eu/resource/authority/file-type/CSV>",
    "mediaTypeAvailability": "dcat:mediaType <https://www.iana.org/assignments/media-types/text/csv>",
    "licenceAvailability": "dct:license <http://publications.europa.eu/resource/authority/licence/CC_BY_4_0>",
    "rightsAvailability": 'dct:rights [ a dct:RightsStatement ; dct:description "(c)"@en ]',
    "byteSizeAvailability": 'dcat:byteSize "4"^^xsd:nonNegativeInteger',
}
ALIVE = {
    "https://data.example/get": Status(code=200, at="2026-03-01T12:00:00Z"),
    "https://data.example/rain.csv": Status(code=206),
}


def record(dataset: Iterable[str], distribution: Iterable[str], more: str = "") -> rdf.Triples:
    """Return a dataset of these properties with one distribution of those."""
    said = "".join(f" ; {each}" for each in dataset)
    file = "".join(f" ; {each}" for each in distribution)
    text = f"""{HEAD} <{KEY}> a dcat:Dataset ; dct:title "Rain"@en ; dct:description "By day."@en{said} ;
      dcat:distribution <{FILE}> .
    <{FILE}> a dcat:Distribution ; dcat:accessURL <https://data.example/get>{file} . {more}"""
    return rdf.parse(text.encode(), rdf.Format.TURTLE)


def score(triples: rdf.Triples, **told: Any) -> Score:
    """Return the score of the dataset."""
    return Assessment(triples, KEY, **{"compliant": True, "status": ALIVE, **told}).score()


def points(found: Score) -> dict[str, int]:
    """Return the points that were earned, by indicator."""
    return {each.metric: each.points for each in found.indicators if each.points}


def test_the_methodology_has_23_indicators_and_405_points() -> None:
    """Five dimensions with their sums, as the portal has them."""
    sums = {name: sum(each.points for each in definitions() if each.dimension == name) for name in quality.DIMENSIONS}
    assert len(definitions()) == 23
    assert sums == {
        "findability": 100,
        "accessibility": 100,
        "interoperability": 110,
        "reusability": 75,
        "contextuality": 20,
    }
    assert {tuple(each.label) for each in definitions()} == {("en", "de", "fr")}
    assert {tuple(each.fix) for each in definitions()} == {("en", "de", "fr")}


def test_a_whole_record_has_all_points_and_400_or_320_without_rights_or_checks() -> None:
    """The three figures of a complete record: everything, no statement of rights, and no address checked besides."""
    whole = record(DATASET.values(), DISTRIBUTION.values())
    assert (score(whole).points, score(whole).max, score(whole).rating) == (405, 405, "excellent")
    assert score(whole).fixes == ()
    without = record(DATASET.values(), (DISTRIBUTION[each] for each in DISTRIBUTION if each != "rightsAvailability"))
    assert score(without).points == 400
    unchecked = score(without, status={})
    assert (unchecked.points, unchecked.max, unchecked.rating) == (320, 405, "good")
    assert [each.metric for each in unchecked.fixes] == [
        "accessUrlStatusCode",
        "downloadUrlStatusCode",
        "rightsAvailability",
    ]


GOES_WITH = {
    "accessRightsAvailability": {"accessRightsVocabularyAlignment"},
    "licenceAvailability": {"knownLicence"},
    "formatAvailability": {
        "formatMediaTypeVocabularyAlignment",
        "formatMediaTypeNonProprietary",
        "formatMediaTypeMachineInterpretable",
    },
    "mediaTypeAvailability": {
        "formatMediaTypeVocabularyAlignment",
        "formatMediaTypeNonProprietary",
        "formatMediaTypeMachineInterpretable",
    },
    "downloadUrlAvailability": {"downloadUrlStatusCode"},
}


@pytest.mark.parametrize("metric", [*DATASET, *DISTRIBUTION])
def test_each_property_earns_its_own_points(metric: str) -> None:
    """One property alone earns its indicator and what goes with it; the evidence is the statement itself."""
    triples = record(
        [DATASET[metric]] if metric in DATASET else [], [DISTRIBUTION[metric]] if metric in DISTRIBUTION else []
    )
    found = score(triples)
    assert points(found).keys() == {"dcatApCompliance", "accessUrlStatusCode", metric, *GOES_WITH.get(metric, set())}
    (shown,) = next(each.evidence for each in found.indicators if each.metric == metric)
    assert shown.subject == (KEY if metric in DATASET else FILE)
    assert any(each.predicate.value == shown.property for each in triples)


@pytest.mark.parametrize(
    ("said", "earned"),
    [
        ("dct:format eu:none", {"formatAvailability"}),
        (
            "dct:format <http://publications.europa.eu/resource/authority/file-type/PDF>",
            {"formatAvailability", "formatMediaTypeVocabularyAlignment"},
        ),
        (
            DISTRIBUTION["formatAvailability"] + " ; dcat:mediaType iana:csv, <urn:x>",
            {"formatAvailability", "mediaTypeAvailability", *GOES_WITH["formatAvailability"]}
            - {"formatMediaTypeVocabularyAlignment"},
        ),
        (
            "dcat:mediaType <https://www.iana.org/assignments/media-types/application/x-netcdf>",
            {"mediaTypeAvailability", *GOES_WITH["mediaTypeAvailability"]},
        ),
        (
            "dct:format <http://publications.europa.eu/resource/authority/file-type/ZIP>",
            {"formatAvailability", "formatMediaTypeVocabularyAlignment", "formatMediaTypeNonProprietary"},
        ),
        (
            "dct:format <http://publications.europa.eu/resource/authority/file-type/XLSX>",
            {"formatAvailability", "formatMediaTypeVocabularyAlignment", "formatMediaTypeMachineInterpretable"},
        ),
        ('dct:license "free"', {"licenceAvailability"}),
        ("dct:license <https://own.example/licence>", {"licenceAvailability"}),
        ("dct:license <https://creativecommons.org/licenses/by/4.0>", {"licenceAvailability", "knownLicence"}),
        ("dct:license <http://creativecommons.org/licenses/by/4.0/legalcode>", {"licenceAvailability", "knownLicence"}),
    ],
)
def test_what_is_listed_and_what_is_not(said: str, earned: set[str]) -> None:
    """A term of the wrong list, a text, a format that is proprietary: presence earns, alignment does not."""
    found = points(score(record([], [said])))
    assert found.keys() - {"dcatApCompliance", "accessUrlStatusCode"} == earned


def test_a_licence_that_is_said_to_be_a_known_one_is_known() -> None:
    """skos:exactMatch to a term of the EU table names it, whatever the address of its text."""
    same = "<https://own.example/l> skos:exactMatch <http://publications.europa.eu/resource/authority/licence/CC0> ."
    found = score(record([], ["dct:license <https://own.example/l>"], same))
    assert points(found)["knownLicence"] == 10


def test_of_several_distributions_the_most_interoperable_counts() -> None:
    """A licence elsewhere does not help it; of equals the one with more points is taken."""
    other = f"""<{KEY}> dcat:distribution <urn:other> . <urn:other> a dcat:Distribution ; dcat:accessURL <urn:gone> ;
      {DISTRIBUTION["licenceAvailability"]} ; {DISTRIBUTION["rightsAvailability"]} ."""
    pdf = "dct:format <http://publications.europa.eu/resource/authority/file-type/PDF>"
    found = score(record([], [pdf], other), status={})
    assert found.distribution == FILE, "though the other one has more points in all"
    assert found.distribution == FILE
    assert not {"licenceAvailability", "rightsAvailability"} & points(found).keys()
    even = score(record([], [], other), status={})
    assert even.distribution == "urn:other"


@pytest.mark.parametrize(
    ("code", "outcome", "value"),
    [(200, "passed", 200), (204, "passed", 204), (301, "failed", 301), (404, "failed", 404), (0, "failed", 0)],
)
def test_an_address_works_when_it_answered_2xx(code: int, outcome: str, value: int) -> None:
    """Anything else is a failure, and the evidence says what was answered and when."""
    status = {"https://data.example/get": Status(code=code, at="2026-03-01T12:00:00Z")}
    found = next(each for each in score(record([], []), status=status).indicators if "access" in each.metric)
    assert (found.outcome, found.value) == (outcome, value)
    assert "2026-03-01" in (found.evidence[0].note or "")


@pytest.mark.parametrize("right", ["RESTRICTED", "NON_PUBLIC", "CONFIDENTIAL", "SENSITIVE"])
def test_what_is_not_public_is_not_asked_for_public_addresses(right: str) -> None:
    """Accessibility does not apply: the maximum is 305, and the rating goes by the share of it."""
    dataset = {**DATASET, "accessRightsAvailability": f"dct:accessRights <{openness.ACCESS}{right}>"}
    found = score(record(dataset.values(), DISTRIBUTION.values()))
    assert (found.points, found.max, found.rating, found.closed) == (305, 305, "excellent", True)
    assert {each.outcome for each in found.indicators if each.dimension == "accessibility"} == {"not applicable"}
    assert all(fix.metric != "accessUrlStatusCode" for fix in found.fixes)
    told = score(record(DATASET.values(), DISTRIBUTION.values()), closed=True)
    assert (told.points, told.max) == (305, 305)
    bare = Assessment(record([], [])[:3], KEY, compliant=None, closed=True).score()
    assert (bare.max, bare.points, bare.distribution) == (305, 0, None)


@pytest.mark.parametrize(
    ("earned", "most", "word"),
    [
        (405, 405, "excellent"),
        (351, 405, "excellent"),
        (350, 405, "good"),
        (221, 405, "good"),
        (220, 405, "sufficient"),
        (121, 405, "sufficient"),
        (120, 405, "bad"),
        (0, 405, "bad"),
        (305, 305, "excellent"),
        (0, 0, "bad"),
    ],
)
def test_the_rating_has_the_bounds_of_the_portal(earned: int, most: int, word: str) -> None:
    """351, 221 and 121 of 405; of a smaller maximum the same share."""
    assert quality.rating(earned, most) == word


PARTS = [*((name, True) for name in DATASET), *((name, False) for name in DISTRIBUTION)]


@given(st.sets(st.sampled_from(PARTS)), st.sampled_from(PARTS), st.booleans(), st.sampled_from([None, True, False]))
def test_a_good_property_never_lowers_the_score(
    had: set[tuple[str, bool]], new: tuple[str, bool], alive: bool, compliant: bool | None
) -> None:
    """Whatever a record has: one property more is no point less, and never more than can be had."""

    def made(parts: set[tuple[str, bool]]) -> Score:
        triples = record(
            (DATASET[name] for name, own in sorted(parts) if own),
            (DISTRIBUTION[name] for name, own in sorted(parts) if not own),
        )
        return score(triples, status=ALIVE if alive else {}, compliant=compliant)

    before, after = made(had), made({*had, new})
    assert before.points <= after.points <= after.max == 405
    assert sum(each.points for each in after.dimensions) == after.points
    assert sum(each.max for each in after.dimensions) == after.max
    open_points = sum(fix.points for fix in after.fixes)
    assert after.points + open_points == after.max
    assert [fix.points for fix in after.fixes] == sorted((fix.points for fix in after.fixes), reverse=True)
    if new not in had and new[0] not in points(before):
        assert after.points > before.points


@given(st.lists(st.sets(st.sampled_from(PARTS)), max_size=6))
def test_a_catalog_has_the_shares_of_what_passes(records: list[set[tuple[str, bool]]]) -> None:
    """Per indicator the share of the population times the points, in any order of the datasets."""
    survey, backwards = Survey(), Survey()
    found = []
    for parts in records:
        triples = record(
            (DATASET[name] for name, own in sorted(parts) if own),
            (DISTRIBUTION[name] for name, own in sorted(parts) if not own),
        )
        found.append(Assessment(triples, KEY, compliant=True, status=ALIVE))
    for each in found:
        survey.add(each)
    for each in reversed(found):
        backwards.add(each)
    whole = survey.score()
    assert whole == backwards.score()
    assert (whole.datasets, whole.distributions) == (len(records), len(records))
    assert (whole.rating is None) == (not records)
    for share in whole.indicators:
        passing = sum(bool(points(each.score()).get(share.metric)) for each in found)
        assert (share.passing, share.population) == (passing, len(records))
        assert share.points == pytest.approx(share.max * passing / len(records) if records else 0, abs=0.01)


def test_what_does_not_apply_is_no_part_of_a_catalog() -> None:
    """A closed dataset has no addresses to count; a catalog of closed ones has 305 points at most."""
    survey = Survey()
    survey.add(Assessment(record([], []), KEY, compliant=True, closed=True))
    assert survey.score().max == 305
    survey.add(Assessment(record([], []), KEY, compliant=True, status=ALIVE))
    share = next(each for each in survey.score().indicators if each.metric == "accessUrlStatusCode")
    assert (share.passing, share.population, share.points) == (1, 1, 50)
    assert survey.score().max == 405


def test_the_score_as_dqv_has_a_measurement_for_each_metric() -> None:
    """Metric, value with its type, what it was computed on and when; what was not measured is not said."""
    found = score(record(DATASET.values(), DISTRIBUTION.values()))
    triples = measurements(found, "2026-03-01T12:00:00Z")
    measured = {
        each.object.value.removeprefix(quality.VOCABULARY)
        for each in triples
        if each.predicate == NamedNode(rdf.full("dqv:isMeasurementOf")) and isinstance(each.object, NamedNode)
    }
    assert measured == {*(each.metric for each in definitions()), "score"}
    values = {str(each.subject)[1:-1]: each.object for each in triples if each.predicate.value == rdf.full("dqv:value")}
    assert str(values[f"{KEY}#quality-score"]) == '"405"^^<http://www.w3.org/2001/XMLSchema#integer>'
    assert str(values[f"{KEY}#quality-accessUrlStatusCode"]) == '"200"^^<http://www.w3.org/2001/XMLSchema#integer>'
    assert str(values[f"{KEY}#quality-knownLicence"]) == '"true"^^<http://www.w3.org/2001/XMLSchema#boolean>'
    on = {
        str(each.subject)[1:-1]: each.object for each in triples if each.predicate.value == rdf.full("dqv:computedOn")
    }
    assert on[f"{KEY}#quality-knownLicence"] == NamedNode(FILE)
    assert (
        Triple(
            NamedNode(f"{KEY}#quality-rating"),
            NamedNode(rdf.full("oa:hasBody")),
            NamedNode(quality.VOCABULARY + "excellent"),
        )
        in triples
    )
    closed = measurements(score(record([], []), closed=True), "2026-03-01T12:00:00Z")
    assert not any("UrlStatus" in str(each.object) for each in closed)
    assert rdf.parse(rdf.serialise(triples, rdf.Format.TURTLE), rdf.Format.TURTLE)


def test_the_score_of_a_catalog_as_dqv_has_the_share_that_passes() -> None:
    """In percent, for each metric that applies to something, with the points and the rating, if it has one."""
    survey = Survey()
    assert "rating" not in str(catalog_measurements(survey.score(), KEY, "2026-03-01T12:00:00Z"))
    survey.add(Assessment(record(DATASET.values(), DISTRIBUTION.values()), KEY, compliant=True, status=ALIVE))
    survey.add(Assessment(record([], []), KEY, compliant=True, closed=True))
    triples = catalog_measurements(survey.score(), KEY, "2026-03-01T12:00:00Z")
    values = {str(each.subject): str(each.object) for each in triples if each.predicate.value == rdf.full("dqv:value")}
    assert '"50.0"' in values[f"<{KEY}#quality-keywordAvailability>"]
    assert '"100.0"' in values[f"<{KEY}#quality-accessUrlStatusCode>"]
    assert f'"{survey.score().points}"' in values[f"<{KEY}#quality-score>"]
    assert rdf.parse(rdf.serialise(triples, rdf.Format.TURTLE), rdf.Format.TURTLE)


def test_the_words_come_in_three_languages_and_as_text() -> None:
    """What to do next is said in the language that is asked for, English else; the most points come first."""
    found = Assessment(record([], []), KEY, compliant=False)
    assert found.score("de").fixes[0].label == "Zugangsadresse funktioniert"
    assert found.score("fr").fixes[1].words.startswith("Indiquez")
    assert found.score("pl").fixes[0].label == "Access address works"
    lines = quality.text(found.score()).splitlines()
    assert lines[0] == "0 of 405 points: bad"
    assert lines[6].startswith("+50 ")


def test_compliance_is_the_structure_of_dcat_ap() -> None:
    """The points for it go by the verdict of the check that gates a registration."""
    good = record(DATASET.values(), DISTRIBUTION.values())
    bad = [each for each in good if each.predicate.value != rdf.full("dct:title")]
    for triples, earned in ((good, 405), (tuple(bad), 375)):
        assert score(triples, compliant=shacl.check(triples, "dcat-ap").conforms).points == earned


def test_every_address_is_found() -> None:
    """What is to be checked: access and download addresses, each once; texts are none."""
    triples = record([], [DISTRIBUTION["downloadUrlAvailability"], 'dcat:accessURL "nowhere"'])
    assert quality.addresses(triples) == ["https://data.example/get", "https://data.example/rain.csv"]
