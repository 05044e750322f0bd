"""Compiled shapes against pySHACL: the same verdict and the same results, on published records and on damaged ones."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import Literal, NamedNode, Triple

from connector.standards.dcat.shacl.compiled import Unsupported, compile_shapes
from connector.standards.dcat.shacl.judge import Judge
from connector.standards.dcat.shacl.literals import has_datatype
from connector.standards.dcat.shacl.results import multiset
from connector.standards.dcat.shacl.view import SUBCLASS, TYPE
from connector.standards.rdf import Format, Triples, full, parse
from tests.standards.dcat.agreement import examples, mutants, read_example
from tests.standards.dcat.engines import OFFICIAL, compiled, fast, judge, official, plain, with_plain_paths

NAMES = sorted(OFFICIAL)


@pytest.mark.parametrize("name", NAMES)
def test_published_shapes_find_the_same_in_every_published_record(name: str) -> None:
    """Each published file compiles as it is, and agrees with the judge on every example."""
    for path in examples():
        record = read_example(path.name)
        assert fast(compiled(name), record) == multiset(judge(name).results(record)), path.name


@pytest.mark.parametrize("name", NAMES)
def test_published_shapes_find_the_same_in_damaged_records(name: str) -> None:
    """Whatever is dropped, retyped, added or turned to another target, both find the same."""
    for number, record in enumerate((*mutants(seed=41, count=25), *retargeted(seed=42))):
        assert fast(compiled(name), record) == multiset(judge(name).results(record)), number


def retargeted(seed: int) -> Iterator[Triples]:
    """Yield damaged records: a type gone, a link turned elsewhere, a class below another."""
    chance = random.Random(seed)  # noqa: S311 - the same ones on every run, nothing secret
    for path in chance.sample(examples(), 12):
        record = list(read_example(path.name))
        types = [each for each in record if each.predicate == TYPE]
        links = [each for each in record if isinstance(each.object, NamedNode) and each.predicate != TYPE]
        if not types or not links:
            continue
        gone, turned = chance.choice(types), chance.choice(links)
        yield tuple(each for each in record if each != gone)
        yield tuple(dict.fromkeys((*record, Triple(turned.subject, turned.predicate, chance.choice(types).subject))))
        below = NamedNode("urn:below")
        yield (
            *(each for each in record if each != gone),
            Triple(gone.subject, TYPE, below),
            Triple(below, SUBCLASS, gone.object),
        )


@pytest.mark.parametrize("name", ["dcat-ap", "hvd draft", "geodcat-ap"])
def test_the_judge_says_what_pyshacl_says(name: str) -> None:
    """Remembering look-ups and asking only shapes whose class occurs changes nothing."""
    for path in examples()[::9]:
        record = read_example(path.name)
        expected = plain(official(name), record)
        assert with_plain_paths(multiset(judge(name).results(record))) == expected, path.name


# --- small shapes and graphs of every kind ----------------------------------------------------------------------------

PREFIXES = """
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix : <urn:x:> .
"""
VALUES = (
    ":a", ":b", ":c", '"a"', '"b"@en', '"c"@de-AT', '"b"@de', "1", "2", "10", "1.5", '"x"^^xsd:integer',
    '"2024-01-01"^^xsd:date', '"2024-02-30"^^xsd:date', '"2025-06-01"^^xsd:date', '"-5"^^xsd:nonNegativeInteger',
    '"2024-01-01T00:00:00Z"^^xsd:dateTime', '"2024"^^xsd:gYear', '"year"^^xsd:gYear', '"P1D"^^xsd:duration',
    '"daily"^^xsd:duration', '"zz"^^xsd:hexBinary', '"true"^^xsd:boolean', '"POINT(1 2)"^^:wkt',
)  # fmt: skip
PATHS = (":p", ":q", "[ sh:inversePath :p ]", "( :p :q )", "[ sh:alternativePath ( :p :q ) ]")
KINDS = ("IRI", "Literal", "BlankNode", "BlankNodeOrIRI", "BlankNodeOrLiteral", "IRIOrLiteral")
TYPES = ("string", "integer", "decimal", "date", "dateTime", "gYear", "duration", "hexBinary", "boolean")
values = st.sampled_from(VALUES)
constants = st.sampled_from([value for value in VALUES if "zz" not in value])
lists = st.lists(constants, min_size=1, max_size=3, unique=True).map(lambda found: f"( {' '.join(found)} )")
counts = st.integers(0, 3)


def value_constraints() -> st.SearchStrategy[str]:
    """Return constraints on single values."""
    return st.one_of(
        st.sampled_from(KINDS).map(lambda kind: f"sh:nodeKind sh:{kind}"),
        st.sampled_from(TYPES).map(lambda kind: f"sh:datatype xsd:{kind}"),
        st.just("sh:datatype rdf:langString"),
        st.sampled_from((":C", ":D")).map(lambda kind: f"sh:class {kind}"),
        lists.map(lambda found: f"sh:in {found}"),
        st.sampled_from(("^[ab]", "2024", "X")).map(lambda text: f'sh:pattern "{text}" ; sh:flags "i"'),
        counts.map(lambda number: f"sh:minLength {number}"),
        counts.map(lambda number: f"sh:maxLength {number}"),
        st.sampled_from(("minInclusive", "maxExclusive", "minExclusive", "maxInclusive")).flatmap(
            lambda name: st.sampled_from(("1", "2.5", '"2024-06-01"^^xsd:date', '"b"')).map(
                lambda bound: f"sh:{name} {bound}"
            )
        ),
        st.sampled_from(('( "en" )', '( "de" "fr" )', '( "de-AT" )')).map(lambda tags: f"sh:languageIn {tags}"),
    )


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return constraints made of others."""
    shape = inner.map(lambda text: f"[ {text} ]")
    several = st.lists(shape, min_size=1, max_size=3).map(lambda found: f"( {' '.join(found)} )")
    return st.one_of(
        shape.map(lambda text: f"sh:node {text}"),
        shape.map(lambda text: f"sh:not {text}"),
        st.tuples(st.sampled_from(("and", "or", "xone")), several).map(lambda pair: f"sh:{pair[0]} {pair[1]}"),
        st.tuples(st.sampled_from(PATHS), inner).map(lambda pair: f"sh:property [ sh:path {pair[0]} ; {pair[1]} ]"),
    )


constraints = st.recursive(value_constraints(), combined, max_leaves=3)


def properties() -> st.SearchStrategy[str]:
    """Return property shapes."""
    checks = st.one_of(
        constraints,
        counts.map(lambda number: f"sh:minCount {number}"),
        counts.map(lambda number: f"sh:maxCount {number}"),
        constants.map(lambda value: f"sh:hasValue {value}"),
        st.just("sh:uniqueLang true"),
        st.sampled_from(("sh:equals :q", "sh:disjoint :q")),
        st.tuples(value_constraints(), counts, counts).map(
            lambda found: (
                f"sh:qualifiedValueShape [ {found[0]} ] ; "
                f"sh:qualifiedMinCount {found[1]} ; sh:qualifiedMaxCount {found[2]}"
            )
        ),
    )
    severity = st.sampled_from(("", " ; sh:severity sh:Warning", " ; sh:deactivated true"))
    return st.tuples(st.sampled_from(PATHS), checks, severity).map(
        lambda found: f"sh:property [ sh:path {found[0]} ; {found[1]}{found[2]} ]"
    )


def node_shapes() -> st.SearchStrategy[str]:
    """Return node shapes with a target."""
    closed = st.sampled_from(("", "sh:closed true ; sh:ignoredProperties ( rdf:type ) ;"))
    parts = st.lists(st.one_of(properties(), value_constraints()), min_size=1, max_size=3)
    return st.tuples(st.sampled_from((":C", ":D")), closed, parts).map(
        lambda found: f"[] a sh:NodeShape ; sh:targetClass {found[0]} ; {found[1]} {' ; '.join(found[2])} ."
    )


subjects = st.sampled_from((":a", ":b", ":c", "_:n"))
statements = st.one_of(
    st.tuples(subjects, st.sampled_from((":p", ":q", ":r")), values),
    st.tuples(subjects, st.just("a"), st.sampled_from((":C", ":D", ":E"))),
    st.just((":E", "rdfs:subClassOf", ":C")),
).map(lambda found: f"{' '.join(found)} .")
graphs = st.lists(statements, max_size=12).map("\n".join)


@given(st.lists(node_shapes(), min_size=1, max_size=2).map("\n".join), graphs)
def test_any_shapes_find_the_same_in_any_graph(shapes: str, graph: str) -> None:
    """Every component, in every place it may have, on every kind of value."""
    read = parse(f"{PREFIXES}{shapes}".encode(), Format.TURTLE)
    record = parse(f"{PREFIXES}{graph}".encode(), Format.TURTLE)
    try:
        found = compile_shapes(read)
    except Unsupported as refused:
        assert all("several values" in reason for reason in refused.reasons)  # noqa: PT017 - pySHACL refuses them too
        return
    assert fast(found, record) == multiset(Judge(read).results(record))


DATES = (("2020-01-01", "2021-01-01"), ("2021-01-01", "2020-01-01"), ("2020-01-01", "2020-01-01"))


@given(st.lists(st.sampled_from(DATES), max_size=3), st.sampled_from(("lessThan", "lessThanOrEquals")))
def test_pairs_are_ordered_the_same(pairs: list[tuple[str, str]], name: str) -> None:
    """The start of a period is compared with its end as pySHACL does."""
    shapes = parse(
        f"{PREFIXES} [] a sh:NodeShape ; sh:targetClass :C ; sh:property [ sh:path :p ; sh:{name} :q ] .".encode(),
        Format.TURTLE,
    )
    said = "".join(f' ; :p "{start}"^^xsd:date ; :q "{end}"^^xsd:date' for start, end in pairs)
    record = parse(f"{PREFIXES} :a a :C{said} .".encode(), Format.TURTLE)
    assert fast(compile_shapes(shapes), record) == multiset(Judge(shapes).results(record))


TEXTS = st.one_of(
    st.text("0123456789-+:TZP.YMDHSabcdef", max_size=25),
    st.from_regex(
        r"\A-?[0-9]{3,5}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,8})?)?(Z|[+-][01][0-9]:00)?\Z"
    ),
    st.from_regex(r"\A-?P[0-9]{0,5}[YMWD]?(T[0-9]{0,4}[HMS]?)?\Z"),
)


@given(
    TEXTS, st.sampled_from([*TYPES, "double", "gYearMonth", "nonNegativeInteger", "positiveInteger", "anyURI", "float"])
)
def test_a_literal_is_well_typed_when_pyshacl_says_so(text: str, name: str) -> None:
    """The forms that are recognised without rdflib are ones that it takes."""
    kind = full(f"xsd:{name}")
    asked = f"sh:property [ sh:path :p ; sh:datatype <{kind}> ]"
    shapes = parse(f"{PREFIXES} [] a sh:NodeShape ; sh:targetClass :C ; {asked} .".encode(), Format.TURTLE)
    literal = Literal(text, datatype=NamedNode(kind))
    record = (
        Triple(NamedNode("urn:a"), TYPE, NamedNode("urn:x:C")),
        Triple(NamedNode("urn:a"), NamedNode("urn:x:p"), literal),
    )
    assert has_datatype(literal, kind) == (not Judge(shapes).results(record))


@pytest.mark.parametrize(
    "part",
    [
        "sh:sparql [ sh:select 'SELECT $this WHERE { $this ?p ?o }' ]",
        "sh:property [ sh:path [ sh:zeroOrMorePath :p ] ; sh:minCount 1 ]",
        "sh:targetNode :a",
        "sh:node :S",
    ],
)
def test_what_is_not_compiled_is_refused_as_a_whole(part: str) -> None:
    """Half of the shapes would be no check at all."""
    with pytest.raises(Unsupported):
        compile_shapes(parse(f"{PREFIXES} :S a sh:NodeShape ; sh:targetClass :C ; {part} .".encode(), Format.TURTLE))
