"""RDF in and out: formats, limits, contexts, and the names of blank nodes."""

import json
import subprocess
import sys
from collections.abc import Mapping
from itertools import permutations
from typing import Any

import pytest
import rdflib
from hypothesis import event, given
from hypothesis import strategies as st
from pyoxigraph import BlankNode, CanonicalizationAlgorithm, Dataset, Literal, NamedNode, Quad, Triple
from rdflib.compare import isomorphic

from connector.errors import InvalidInput, TooLarge
from connector.standards import rdf
from connector.standards.rdf import Format, Limits, Triples

DSPACE = "https://w3id.org/dspace/2025/1/context.jsonld"
XML = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:a="http://a/">'

NODES = st.sampled_from([NamedNode(f"https://data.example/{letter}") for letter in "abcd"])
BLANKS = st.sampled_from([BlankNode(f"b{number}") for number in range(6)])
WORDS = st.text(max_size=6)
LITERALS = st.one_of(
    st.builds(Literal, WORDS),
    st.builds(lambda text, tag: Literal(text, language=tag), WORDS, st.sampled_from(["en", "de-at"])),
    st.builds(
        lambda text, name: Literal(text, datatype=NamedNode(rdf.full(f"xsd:{name}"))),
        WORDS,
        st.sampled_from(["date", "integer", "decimal", "string"]),
    ),
)
PLAIN = st.lists(st.builds(Triple, NODES, NODES, st.one_of(NODES, LITERALS)), max_size=12).map(tuple)
TANGLED = st.lists(
    st.builds(
        Triple,
        st.one_of(NODES, BLANKS),
        st.sampled_from([NamedNode("https://data.example/p"), NamedNode("https://data.example/q")]),
        st.one_of(BLANKS, BLANKS, NODES, st.just(Literal("x"))),
    ),
    max_size=12,
).map(lambda triples: tuple(dict.fromkeys(triples)))


def terms(triples: Triples) -> list[NamedNode | BlankNode | Literal]:
    """Return every subject and object, one after the other."""
    return [term for triple in triples for term in (triple.subject, triple.object) if not isinstance(term, Triple)]


def turtle(text: str) -> Triples:
    """Return the triples of a Turtle text."""
    return rdf.parse(text.encode(), Format.TURTLE)


# --- formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text/turtle; charset=utf-8", Format.TURTLE),
        ("application/ld+json", Format.JSON_LD),
        ("application/json", Format.JSON_LD),
        ("APPLICATION/RDF+XML", Format.RDF_XML),
        ("application/n-triples", Format.N_TRIPLES),
        ("record.TTL", Format.TURTLE),
        ("https://data.example/a.b/record.jsonld", Format.JSON_LD),
        ("record.nt", Format.N_TRIPLES),
        ("record.rdf", Format.RDF_XML),
        ("record.trig", Format.TRIG),
        ("record.nq", Format.N_QUADS),
        ("turtle", Format.TURTLE),
    ],
)
def test_formats_are_told_by_media_type_and_file_name(name: str, expected: Format) -> None:
    """What a client or a file says picks the parser."""
    assert Format.of(name) is expected


@pytest.mark.parametrize("name", ["", "text/html", "record.csv", "ttl"])
def test_an_unknown_format_is_refused_with_the_known_ones(name: str) -> None:
    """Nobody has to guess what can be sent."""
    with pytest.raises(InvalidInput, match="text/turtle"):
        Format.of(name)


@given(PLAIN, st.sampled_from(list(Format)))
def test_what_is_written_reads_back(triples: Triples, kind: Format) -> None:
    """Every format carries every triple, or says that it cannot."""
    try:
        written = rdf.serialise(triples, kind)
    except InvalidInput:
        assert kind is Format.RDF_XML
        assert any(ord(letter) < 32 or ord(letter) > 0xFFFD for term in terms(triples) for letter in term.value)
        return
    event(f"{kind}, {bool(triples)}")
    assert set(rdf.parse(written, kind)) == set(triples)


@given(PLAIN, st.randoms(use_true_random=False), st.sampled_from(list(Format)))
def test_the_same_record_is_written_the_same(triples: Triples, chance: Any, kind: Format) -> None:
    """The order in which triples come in does not show."""
    shuffled = list(triples)
    chance.shuffle(shuffled)
    try:
        written = rdf.serialise(triples, kind)
    except InvalidInput:
        return  # XML has no such characters
    assert rdf.serialise(shuffled, kind) == written


def test_a_property_without_an_xml_name_is_refused_in_xml() -> None:
    """No broken XML leaves the house."""
    with pytest.raises(InvalidInput, match="urn:p:1"):
        rdf.serialise(turtle("<urn:a> <urn:p:1> 1 ."), Format.RDF_XML)


def test_only_prefixes_in_use_are_declared() -> None:
    """A record does not start with thirty lines that say nothing."""
    text = rdf.serialise(turtle('<urn:a> <http://purl.org/dc/terms/title> "x" .'), Format.TURTLE).decode()
    assert text.count("@prefix") == 1
    assert 'dct:title "x"' in text


@given(TANGLED)
def test_rdflib_and_back_loses_nothing(triples: Triples) -> None:
    """SHACL sees the record that was sent, lexical forms and all."""
    assert set(rdf.from_rdflib(rdf.to_rdflib(triples))) == set(triples)


@pytest.mark.parametrize(
    "value", ['"01"^^xsd:integer', '"2024-05-01"^^xsd:dateTime', '"1.50"^^xsd:decimal', '"x"^^xsd:date']
)
def test_rdflib_keeps_lexical_forms(value: str) -> None:
    """`01` stays `01`: hashes and signatures are over what was written."""
    record = turtle(f"@prefix xsd: <{rdf.PREFIXES['xsd']}> . <urn:a> <urn:p> {value} .")
    assert rdf.from_rdflib(rdf.to_rdflib(record)) == record


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<urn:a> <urn:p> " + b"[<urn:p> " * 5000 + b"1" + b"]" * 5000 + b" .", Format.TURTLE),
        (b"<urn:a> <urn:p> " + b"(" * 5000 + b")" * 5000 + b" .", Format.TURTLE),
        (b"<urn:a> <urn:p> " + b"<<( <urn:a> <urn:p> " * 5000, Format.N_TRIPLES),
        (b'{"urn:p":' * 5000 + b"1" + b"}" * 5000, Format.JSON_LD),
        (b"[" * 5000 + b"]" * 5000, Format.JSON_LD),
        (XML + b"<a:b><a:c>" * 5000 + b"</a:c></a:b>" * 5000 + b"</rdf:RDF>", Format.RDF_XML),
    ],
    ids=["nodes", "lists", "triple terms", "objects", "arrays", "elements"],
)
def test_deep_documents_are_refused(data: bytes, kind: Format) -> None:
    """Nesting ends in a refusal, not in a RecursionError and not in a crash of the process."""
    with pytest.raises(TooLarge, match="nests deeper"):
        rdf.parse(data, kind)


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([Format.TURTLE, Format.JSON_LD, Format.RDF_XML]))
def test_the_limit_of_nesting_is_exact(depth: int, limit: int, kind: Format) -> None:
    """As deep as allowed is read, one deeper is not; brackets in strings, comments and IRIs do not count."""
    data = {
        Format.TURTLE: b"<urn:a[> <urn:p> #[[\n" + b"[<urn:p> " * depth + b'\'[\' , """("""' + b"]" * depth + b" .",
        Format.JSON_LD: b'{"urn:p": ' * depth + b'"{[\\"["' + b"}" * depth,
        Format.RDF_XML: XML + b"<a:b a:x='<a>'><!-- <a> -->" * (depth - 1) + b"</a:b>" * (depth - 1) + b"</rdf:RDF>",
    }[kind]
    try:
        rdf.parse(data, kind, limits=Limits(nesting=limit))
    except TooLarge:
        assert depth > limit
    except InvalidInput:
        assert depth <= limit  # alternate elements would be properties; only the depth matters here
    else:
        assert depth <= limit


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'["' + b'\\"' * 500_000, Format.JSON_LD),
        (b"[" * 60 + b'"' + b"\\" * 500_001, Format.JSON_LD),
        (b"[ " * 60 + b"<" * 500_000, Format.TURTLE),
        (b"[ " * 60 + b'"' * 500_001, Format.TURTLE),
        (b"[ " * 60 + b"'''" + b"\\" * 500_001, Format.TURTLE),
        (XML + b'<a "' * 200_000, Format.RDF_XML),
        (XML + b"<!--" * 200_000, Format.RDF_XML),
        (XML + b"<![CDATA[" * 200_000, Format.RDF_XML),
    ],
)
def test_scanning_takes_no_longer_than_the_text_is(data: bytes, kind: Format) -> None:
    """A text made to trap the scanner is refused like any other (a trapped one would run for hours)."""
    with pytest.raises(InvalidInput):
        rdf.parse(data, kind)


def test_size_and_count_are_limited() -> None:
    """Neither bytes nor statements come in without bound."""
    data = b"".join(b"<urn:a> <urn:p> <urn:%d> .\n" % number for number in range(20))
    with pytest.raises(TooLarge, match="bytes"):
        rdf.parse(data, Format.N_TRIPLES, limits=Limits(bytes=100))
    with pytest.raises(TooLarge, match="more than 19 statements"):
        rdf.parse(data, Format.N_TRIPLES, limits=Limits(triples=19))
    assert len(rdf.parse(data, Format.N_TRIPLES, limits=Limits(triples=20))) == 20


@pytest.mark.parametrize(
    "head",
    [
        b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        b'<!DOCTYPE r SYSTEM "http://evil.example/r.dtd">',
        b"<!doctype r>",
        b"<!-- x --><!DOCTYPE r>",
        b'<?xml version="1.0"?>\n<!ENTITY a "b">',
    ],
)
def test_document_types_are_refused_before_parsing(head: bytes) -> None:
    """No entity is ever expanded."""
    with pytest.raises(InvalidInput, match="DOCTYPE"):
        rdf.parse(head + XML + b"<a:b/></rdf:RDF>", Format.RDF_XML)


def test_a_document_type_in_text_is_only_text() -> None:
    """Comments and CDATA may speak of it."""
    data = XML + b"<!-- <!DOCTYPE --><a:b><a:c><![CDATA[<!DOCTYPE x>]]></a:c></a:b></rdf:RDF>"
    assert "<!DOCTYPE x>" in {term.value for term in terms(rdf.parse(data, Format.RDF_XML))}


@pytest.mark.parametrize(
    ("data", "kind", "where"),
    [
        (b"<urn:a> <urn:p> \n  5 6 .", Format.TURTLE, "line 2, column 5"),
        (b"<a> <urn:p> 5 .", Format.TURTLE, "line 1, column 1"),
        (b'{"@id": "urn:a",\n "urn:p": }', Format.JSON_LD, "line 2, column 11"),
        (b"<urn:a> <urn:p> .", Format.N_TRIPLES, "line 1, column 17"),
    ],
)
def test_syntax_errors_say_where(data: bytes, kind: Format, where: str) -> None:
    """Line and column lead to the fault."""
    with pytest.raises(InvalidInput) as refusal:
        rdf.parse(data, kind)
    assert refusal.value.where == where


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"<urn:a> <urn:p> <<( <urn:a> <urn:p> 1 )>> .", Format.TURTLE, "statement about a statement"),
        (b'<urn:a> <urn:p> "x"@en--ltr .', Format.TURTLE, "direction"),
        (b"<urn:g> { <urn:a> <urn:p> 1 }", Format.TRIG, "named graphs"),
        (b'{"@id": "urn:g", "@graph": [{"@id": "urn:a", "urn:p": 1}]}', Format.JSON_LD, "named graphs"),
        (b'{"@id": "rain", "urn:p": 1}', Format.JSON_LD, "'rain' is relative"),
        (b'{"@id": "urn:a", "urn:p": 1, "urn:p": 2}', Format.JSON_LD, "same key twice"),
        (b'{"@id": "urn:a", "urn:p": NaN}', Format.JSON_LD, "NaN"),
        (b'{"@id": "urn:a", "urn:p": ' + b"1" * 5000 + b"}", Format.JSON_LD, "not readable"),
        (b'<urn:a> <urn:p> "\xff" .', Format.TURTLE, "not well-formed"),
        ((XML + b"</rdf:RDF>").decode().encode("utf-16"), Format.RDF_XML, "not well-formed"),
    ],
)
def test_what_a_record_cannot_hold_is_refused_in_words(data: bytes, kind: Format, words: str) -> None:
    """Nothing is dropped in silence."""
    with pytest.raises(InvalidInput) as refusal:
        rdf.parse(data, kind)
    assert words in str(refusal.value)


def test_named_graphs_merge_on_request() -> None:
    """A harvester that knows what it does reads them as one."""
    data = b"<urn:g> { <urn:a> <urn:p> 1 } <urn:a> <urn:p> 1 ."
    assert len(rdf.parse(data, Format.TRIG, merge_graphs=True)) == 1


def test_a_base_completes_relative_iris_and_a_mark_at_the_start_is_skipped() -> None:
    """Both occur in files that people send."""
    for data, kind in ((b"\xef\xbb\xbf<x> <p> <y> .", Format.TURTLE), (b'\xef\xbb\xbf{"@id": "x"}', Format.JSON_LD)):
        found = rdf.parse(data, kind, base="https://data.example/")
        assert all(str(triple.subject) == "<https://data.example/x>" for triple in found)


@given(st.binary(max_size=60), st.sampled_from(list(Format)))
def test_any_bytes_give_triples_or_a_refusal(data: bytes, kind: Format) -> None:
    """No input ends in anything else."""
    try:
        rdf.parse(data, kind)
    except InvalidInput:
        event("refused")


# --- JSON-LD ----------------------------------------------------------------------------------------------------------


def test_an_unknown_context_is_refused_by_name_and_never_fetched() -> None:
    """Wherever it stands: at the top, in a list, within a node, in a term definition."""
    for place in (
        {"@context": "https://evil.example/c"},
        {"@context": [{}, "https://evil.example/c"]},
        {"urn:p": {"@context": "https://evil.example/c"}},
        {"@context": {"a": {"@id": "urn:a", "@context": "https://evil.example/c"}}},
    ):
        with pytest.raises(InvalidInput) as refusal:
            rdf.parse(json.dumps(place).encode(), Format.JSON_LD)
        assert "'https://evil.example/c'" in str(refusal.value)
        assert DSPACE in str(refusal.value)
        with pytest.raises(InvalidInput, match=r"https://evil\.example/c"):
            rdf.expand(place)


def test_a_json_literal_is_data() -> None:
    """What looks like a context within rdf:JSON is left alone."""
    document = {"@id": "urn:a", "urn:p": {"@type": "@json", "@value": {"@context": "https://evil.example/c"}}}
    assert len(rdf.parse(json.dumps(document).encode(), Format.JSON_LD)) == 1


def test_bundled_contexts_are_resolved_with_what_they_import() -> None:
    """An offer within a dataset is read by the ODRL terms that the protocol's context imports."""
    document = {
        "@context": [DSPACE],
        "@id": "urn:a",
        "@type": "Dataset",
        "hasPolicy": [{"@id": "urn:o", "@type": "Offer", "permission": [{"action": "use"}]}],
    }
    found = rdf.parse(json.dumps(document).encode(), Format.JSON_LD)
    assert NamedNode(rdf.full("odrl:use")) in {triple.object for triple in found}
    assert len(found) == 5


@pytest.mark.parametrize("iri", list(rdf.contexts()))
def test_each_bundled_context_loads_in_both_engines(iri: str) -> None:
    """What ships can be used."""
    assert rdf.parse(json.dumps({"@context": iri, "@id": "urn:a", "@type": "urn:T"}).encode(), Format.JSON_LD)
    assert rdf.expand({"@context": iri, "@id": "urn:a", "@type": "urn:T"})


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"@vocab": "https://evil.example/"}, "@vocab"),
        ({"@base": "https://evil.example/"}, "@base"),
        ({"@import": DSPACE}, "@import"),
        ({"dct": "https://evil.example/"}, "'dct'"),
        ({"odrl": {"@id": "https://evil.example/"}}, "'odrl'"),
        ({"a": {"@id": "urn:a", "@context": {"@vocab": "https://evil.example/"}}}, "@vocab"),
        ([DSPACE, {"Dataset": "https://evil.example/"}], "protected"),
        ({"a": 5}, "@context"),
    ],
)
def test_inline_contexts_in_messages_cannot_bend_known_terms(context: Any, words: str) -> None:
    """A message says to everybody what it says to us."""
    with pytest.raises(InvalidInput) as refusal:
        rdf.expand({"@context": context, "@id": "urn:a"})
    assert words in str(refusal.value)


def test_contexts_and_terms_are_counted() -> None:
    """A thousand contexts are refused before they are worked through."""
    with pytest.raises(TooLarge, match="contexts"):
        rdf.expand({"@context": [{}] * 1000})
    with pytest.raises(TooLarge, match="terms"):
        rdf.parse(json.dumps({"@context": {f"t{n}": "urn:t" for n in range(1001)}}).encode(), Format.JSON_LD)


def test_expansion_of_deep_documents_is_refused() -> None:
    """PyLD recurses; the depth is checked first, without recursion."""
    document: Any = {}
    for _ in range(3000):
        document = {"urn:p": [document]}
    with pytest.raises(TooLarge, match="nests deeper"):
        rdf.expand(document)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["@id", "urn:a", "@list", "en", "", "@none"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from([
                "@id", "@type", "@value", "@language", "@list", "@set", "@graph", "@reverse", "@index", "@included",
                "@nest", "@json", "@direction", "@propagate", "@protected", "@container", "@context", "urn:p", "a",
            ]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_any_json_is_expanded_or_refused(document: Any) -> None:
    """Odd keywords in odd places end in a refusal, never in a fault of ours."""
    try:
        rdf.expand(document)
    except InvalidInput:
        event("refused")
    try:
        rdf.parse(json.dumps(document).encode(), Format.JSON_LD)
    except InvalidInput:
        event("not parsed")


def test_expansion_has_no_base() -> None:
    """A relative id stays as it is and does not become somebody's address."""
    assert rdf.expand({"@id": "rain", "urn:p": [{"@value": 1}]})[0]["@id"] == "rain"


def test_json_ld_examples_mean_the_same_to_both_engines(shared: Any) -> None:
    """The fast parser with contexts put in place agrees with PyLD on every published example."""
    from pyld import jsonld  # noqa: PLC0415 - slow to import

    files = sorted([
        *(shared / "standards" / "dcat-examples").glob("*.jsonld"),
        *(shared / "standards" / "odrl-examples").glob("[civ]*.jsonld"),
    ])  # fmt: skip
    assert len(files) > 40
    for file in files:
        ours = rdf.parse(file.read_bytes(), Format.JSON_LD, base="http://example.org/", merge_graphs=True)
        options = {"base": "http://example.org/", "documentLoader": rdf.load_context}
        quads = jsonld.to_rdf(json.loads(file.read_bytes()), {**options, "format": "application/n-quads"})
        theirs = rdf.parse(quads.encode(), Format.N_QUADS, merge_graphs=True)
        assert isomorphic(rdf.to_rdflib(ours), rdf.to_rdflib(theirs)), file.name


# --- names of blank nodes ---------------------------------------------------------------------------------------------


def renamed(triples: Triples, names: Mapping[Any, Any]) -> list[Triple]:
    """Return the triples with the terms in `names` replaced."""
    return [
        Triple(names.get(each.subject, each.subject), each.predicate, names.get(each.object, each.object))
        for each in triples
    ]


def relabelled(triples: Triples, chance: Any) -> Triples:
    """Return the same graph with other labels in another order."""
    labels = [BlankNode(f"n{number}") for number in range(6)]
    chance.shuffle(labels)
    names = {BlankNode(f"b{number}"): labels[number] for number in range(6)}
    result = renamed(triples, names)
    chance.shuffle(result)
    return tuple(result)


def named(triples: Triples) -> Triples:
    """Return the skolemised triples."""
    return rdf.skolemise(triples, "https://data.example/1")


@given(TANGLED, st.randoms(use_true_random=False))
def test_names_depend_on_nothing_but_the_graph(triples: Triples, chance: Any) -> None:
    """Neither the labels nor the order of blank nodes shows in the canonical bytes."""
    event("some blank" if named(triples) != triples else "none blank")
    assert rdf.canonical(named(triples)) == rdf.canonical(named(relabelled(triples, chance)))


@given(TANGLED, TANGLED)
def test_equal_bytes_mean_equal_graphs(one: Triples, other: Triples) -> None:
    """Two graphs share canonical bytes exactly when RDFC-1.0 finds them the same."""
    assert (rdf.canonical(named(one)) == rdf.canonical(named(other))) == (rdfc(one) == rdfc(other))


@given(TANGLED)
def test_no_two_blank_nodes_get_one_name(triples: Triples) -> None:
    """Naming only names: the graph keeps its shape."""
    result = named(triples)
    blank = {term for term in terms(triples) if isinstance(term, BlankNode)}
    names = {term for term in terms(result) if "#b-" in term.value}
    assert len(result) == len(triples)
    assert len(names) == len(blank)
    back = {name: BlankNode(f"z{number}") for number, name in enumerate(sorted(names, key=str))}
    assert rdfc(tuple(renamed(result, back))) == rdfc(triples)


def rdfc(triples: Triples) -> set[str]:
    """Return the graph with the labels that RDFC-1.0 gives it: the oracle."""
    dataset = Dataset(Quad(triple.subject, triple.predicate, triple.object) for triple in triples)
    dataset.canonicalize(CanonicalizationAlgorithm.RDFC_1_0)
    return {str(quad) for quad in dataset}


def test_a_name_outlives_changes_elsewhere() -> None:
    """Editing the title does not rename the publisher, so versions can be compared."""
    agent = '<urn:d> <urn:publisher> [ <urn:name> "Weather Office" ; <urn:place> [ <urn:x> 1 ] ] .'
    names = [
        {term.value for term in terms(rdf.skolemise(turtle(agent + more), "urn:d")) if "#b-" in term.value}
        for more in ("", '<urn:d> <urn:title> "Rain" .', '<urn:d> <urn:contact> [ <urn:name> "Desk" ] .')
    ]
    assert names[0] == names[1]
    assert names[0] < names[2]


def test_names_stand_under_the_base() -> None:
    """The IRIs say which record they belong to, also when it has a fragment."""
    record = turtle("<urn:d> <urn:p> [] .")
    for base, start in (("https://data.example/1", "#b-"), ("https://data.example/1#it", "-b-")):
        assert str(rdf.skolemise(record, base)[0].object).startswith(f"<{base}{start}")


def test_alike_siblings_and_trees_are_told_apart() -> None:
    """Twenty identical contact points stay twenty, alone or with what hangs on them."""
    assert len(rdf.skolemise(turtle('<urn:d> <urn:c> [ <urn:n> "x" ] .' * 20), "urn:d")) == 20 * 2
    twins = '<urn:d> <urn:c> [ <urn:n> "x" ; <urn:a> [ <urn:y> [] ] ] .'
    assert len(rdf.skolemise(turtle(twins * 20), "urn:d")) == 20 * 4


@pytest.mark.parametrize("size", [5, 6, 7, 8, 10, 22])
def test_poison_graphs_are_named_or_refused_at_once(size: int) -> None:
    """Complete graphs, the worst case of RDFC-1.0 (8 nodes: ten seconds), never reach it."""
    poison = tuple(
        Triple(BlankNode(f"b{one}"), NamedNode("urn:p"), BlankNode(f"b{other}"))
        for one, other in permutations(range(size), 2)
    )
    if size > 6:
        with pytest.raises(TooLarge, match="in rings"):
            named(poison)
    else:
        assert len(named(poison)) == len(poison)


POISONS = {
    "ring": " ".join(f"_:a{n} <urn:p> _:a{(n + 1) % 400} ." for n in range(400)),
    "pairs": " ".join(f"_:a{n} <urn:p> _:a{n ^ 1} ." for n in range(800)),
    "trees": " ".join(f"_:a{n} <urn:p> _:b{n} . _:b{n} <urn:q> _:c{n} ." for n in range(3000)),
}


@pytest.mark.parametrize("text", POISONS.values(), ids=POISONS)
def test_large_symmetries_are_refused(text: str) -> None:
    """Nodes by the hundred that nothing tells apart are an attack, not data."""
    with pytest.raises(TooLarge):
        rdf.skolemise(turtle(text), "urn:d")


def test_a_long_chain_is_named() -> None:
    """Depth alone is no trouble, and there is no recursion."""
    text = " ".join(f"_:a{n} <urn:p> _:a{n + 1} ." for n in range(5000))
    assert len(rdf.skolemise(turtle(text), "urn:d")) == 5000


def test_canonical_bytes_are_sorted_lines() -> None:
    """Each line once, in order of bytes, ended by a line feed; control characters are escaped."""
    record = turtle('<urn:b> <urn:p> "x\\n\\u0085" . <urn:a> <urn:p> 1 . <urn:a> <urn:p> 1 .')
    lines = rdf.canonical(record).decode().split("\n")
    assert lines == ['<urn:a> <urn:p> "1"^^<http://www.w3.org/2001/XMLSchema#integer> .', lines[1], ""]
    assert lines[1].startswith('<urn:b> <urn:p> "x\\n')


def test_blank_nodes_have_no_canonical_bytes() -> None:
    """Forgetting to skolemise is a fault of the caller and shows at once."""
    with pytest.raises(ValueError, match="skolemise"):
        rdf.canonical(turtle("<urn:a> <urn:p> [] ."))


def test_fingerprint_is_sha_256() -> None:
    """Other participants can compute it."""
    assert rdf.fingerprint(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


# --- names of terms ---------------------------------------------------------------------------------------------------


@given(st.sampled_from(sorted(rdf.PREFIXES)), st.from_regex(r"[a-z]{1,8}", fullmatch=True))
def test_prefixed_names_and_iris_are_two_ways_to_say_one(prefix: str, local: str) -> None:
    """One undoes the other."""
    assert rdf.compact(rdf.full(f"{prefix}:{local}")) == f"{prefix}:{local}"


def test_heavy_libraries_are_loaded_only_when_used() -> None:
    """Importing the floor stays cheap for a command line that never touches RDF."""
    code = (
        "import sys, connector.standards.rdf, connector.standards.dcat.shacl, connector.standards.dcat.graph;"
        "print([name for name in ('rdflib', 'pyld', 'pyshacl') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_rdflib_is_what_comes_out() -> None:
    """Users get the graph class they know."""
    assert isinstance(rdf.to_rdflib(()), rdflib.Graph)
