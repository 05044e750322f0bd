"""The gate in front of foreign SPARQL: what runs, what never does, and in which format it is answered."""

import contextlib
import re

import pyoxigraph as ox
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from connector.errors import InvalidInput, TooLarge
from connector.storage.sparql_gate import (
    FORMATS,
    Kind,
    NotAcceptable,
    Query,
    QueryLimits,
    _decoded,
    _tokens,
    check_query,
    negotiate,
)

A, B, C = "did:web:a.example", "did:web:b.example", "urn:x:c"

# --- what may run -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT * { ?s ?p ?o }", Kind.SELECT),
        ("select(count(*)as?n){?s?p?o}", Kind.SELECT),
        ("BASE <http://x/> PREFIX : <#> # a comment with SERVICE and {\nASK { :a :b 'SERVICE <x> {}' }", Kind.ASK),
        (
            "PREFIX dcat: <http://www.w3.org/ns/dcat#> CONSTRUCT { ?s a dcat:Dataset } WHERE { ?s a dcat:Dataset }",
            Kind.CONSTRUCT,
        ),
        ("DESCRIBE <http://example.org/service/load>", Kind.DESCRIBE),
        ("SELECT * { ?service ?insert ?load }", Kind.SELECT),
        ('SELECT * { ?s <http://x/SERVICE> \'\'\'it\'s "SERVICE"\'\'\' , """a"b""c""" ; <p> \'\' , "" }', Kind.SELECT),
        ("SELECT * { ?s dct:service ?o FILTER(?a<5 && ?b>6) }", Kind.SELECT),
        ("SELECT * { ?s ?p 'caf\\u00e9', <http://x/\\u00e9>, '\\\\n', \"\\\"\" }", Kind.SELECT),
        (
            "SELECT * { ?s ex:a\\~b\\'c ?o ; (ex:p|^ex:q)/ex:r* [] . _:x.y ?p 1.5e-3, -.5, true, 'x'@en-GB }",
            Kind.SELECT,
        ),
        ("SELECT * { VALUES (?a ?b) { (<http://x#a> <http://x#b>) } }", Kind.SELECT),
        ("SELECT * { ?s ?p ?o FILTER(?o IN (<urn:a#b>, <urn:a#c>)) }", Kind.SELECT),
        ("SELECT * { << ?s ?p ?o >> ?q ?r . ?x ?y <<( ?s ?p ?o )>> }", Kind.SELECT),
    ],
)
def test_ordinary_queries_pass(text: str, kind: Kind) -> None:
    """Words in strings, IRIs, names, variables and comments are nobody's business."""
    assert check_query(text) == Query(text, kind)


# --- what never runs --------------------------------------------------------------------------------------------------

SERVICES = [
    "SELECT * { SERVICE <http://127.0.0.1/> { ?s ?p ?o } }",
    "SELECT * { service silent<http://127.0.0.1/>{ ?s ?p ?o } }",
    "SELECT * { SeRvIcE ?x { ?s ?p ?o } }",
    "PREFIX : <http://x/> SELECT * { SERVICE:a { ?s ?p ?o } }",
    "PREFIX ex: <http://x/> SELECT * { SERVICEex:a { ?s ?p ?o } }",
    "SELECT * { ?s ?p trueSERVICE<http://x/>{ ?a ?b ?c } }",
    "PREFIX e: <http://x/> SELECT * { ?s ?p falseSERVICEe:a{ ?a ?b ?c } }",
    "SELECT * { ?s ?p 1SERVICE<http://x/>{ ?a ?b ?c } }",
    "SELECT * { FILTER(?a<'>')SERVICE<http://x/>{ ?a ?b ?c } FILTER(?c<'>') }",
    "PREFIX : <http://x/> SELECT * { ?s ?p ?o FILTER(?s<?o)SERVICE:x#>\n{ ?a ?b ?c } }",
    'PREFIX u: <http://x/> SELECT * { FILTER(?s<u:x#>"""\n) SERVICE <http://x/> { ?a ?b ?c } #"""\n) }',
    "SELECT * { SERV\\u0049CE <http://x/> { ?s ?p ?o } }",
    "SELECT * { \\U00000053ERVICE <http://x/> { ?s ?p ?o } }",
    'SELECT * { ?s ?p "\\u0022 . SERVICE <http://x/> { ?a ?b ?c } #" }',
    "SELECT * { ?s ?p '\\\\u0027 . SERVICE <http://x/> { ?a ?b ?c } #' }",
    "SELECT * { ?s ?p '\\u003E' FILTER(?o<'\\u003E') SERVICE <http://x/> {} }",
    "SELECT * { # \\u000A SERVICE <http://x/> { ?a ?b ?c }\n }",
    "SELECT * { ?s <a\\u003E . SERVICE <http://x/> { ?a ?b ?c } ?s <b> ?o }",
    "SELECT * { {} UNION { SELECT * { { SERVICE <http://x/> { ?s ?p ?o } } } } }",
    "SELECT * { ?s ?p ?o FILTER EXISTS { SERVICE <http://x/> { ?s ?p ?o } } }",
]
UPDATES = [
    "INSERT DATA { <a> <b> <c> }",
    "DELETE WHERE { ?s ?p ?o }",
    "LOAD <file:///etc/passwd>",
    "LOAD SILENT <http://169.254.169.254/> INTO GRAPH <g>",
    "CLEAR ALL",
    "DROP GRAPH <g>",
    "CREATE GRAPH <g>",
    "ADD <a> TO <b>",
    "MOVE <a> TO <b>",
    "COPY <a> TO <b>",
    "WITH <g> DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }",
    "PREFIX : <http://x/> # a query\nINSERT { :a :b ?o } WHERE { ?s ?p ?o }",
    "SELECT * { ?s ?p ?o } ; LOAD <http://x/>",
    "LO\\u0041D <http://x/>",
]


@pytest.mark.parametrize("text", SERVICES)
def test_t13_no_disguise_of_service_passes(text: str) -> None:
    """A query never makes this machine call another, however the word is written, hidden or glued to its neighbours."""
    with pytest.raises(InvalidInput) as refused:
        check_query(text)
    assert re.fullmatch(r"line \d+, column \d+", refused.value.where or "")
    assert refused.value.fix


@pytest.mark.parametrize("text", UPDATES)
def test_t13_no_update_passes(text: str) -> None:
    """The query endpoint changes nothing and loads nothing."""
    with pytest.raises(InvalidInput) as refused:
        check_query(text)
    assert refused.value.where
    assert refused.value.fix


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "line 1, column 1"),
        ("PREFIX a: <http://x/>", "line 1, column 22"),
        ("{ ?s ?p ?o }", "line 1, column 1"),
        ("SELECT *\n{ ?s ?p 'open }", "line 2, column 9"),
        ("SELECT * { ?s ?p ?o ", "line 1, column 21"),
        ("SELECT * { ?s ?p ?o ) }", "line 1, column 21"),
        ("SELECT * }", "line 1, column 10"),
        ("SELECT * { ?s ?p '\\q' }", "line 1, column 19"),
        ("SELECT * { ?s ?p \x00 }", "line 1, column 18"),
        ("SELECT * { ?s ex:\\u0041 ?o }", "line 1, column 18"),
        ("SELECT * FROM { ?s ?p ?o }", "line 1, column 10"),
        ("SELECT * FROM a:b { ?s ?p ?o }", "line 1, column 10"),
        ("SELECT * FROM", "line 1, column 10"),
        ("PREFIX", "line 1, column 7"),
        ("BASE", "line 1, column 5"),
    ],
)
def test_a_text_that_does_not_come_out_is_refused_with_its_place(text: str, where: str) -> None:
    """Whoever wrote the query learns the line, the column and what to do."""
    with pytest.raises(InvalidInput) as refused:
        check_query(text)
    assert refused.value.where == where
    assert refused.value.fix


def test_t13_a_megabyte_of_query_is_not_read() -> None:
    """Length is checked before anything looks at the text."""
    with pytest.raises(TooLarge, match="at most 64000"):
        check_query("SELECT * { " + "?s ?p ?o . " * 100_000 + "}")


@pytest.mark.parametrize(("opening", "closing"), [("{", "}"), ("(", ")"), ("[", "]"), ("{ SELECT * ", "}")])
def test_t13_deep_nesting_is_refused_before_a_parser_recurses(opening: str, closing: str) -> None:
    """Nested sub-selects and brackets have a floor."""
    deep = "SELECT * {" + opening * 64 + closing * 64 + "}"
    with pytest.raises(TooLarge, match="64 deep"):
        check_query(deep)
    check_query(deep, QueryLimits(nesting=65))


# --- properties -------------------------------------------------------------------------------------------------------

FRAGMENTS = [
    *("SERVICE", "service", "<http://127.0.0.1:1/>", ":x", "s:x", "?v", "{", "}", "{?a ?b ?c}", "(", ")", "[", "]"),
    *("FILTER(", "FILTER(?v<", "'>'", "<?v", "#", "#>", "\n", '"""', '"', "'", "'''", "\\u0022", "\\u000a", "\\u0053"),
    *(
        "true",
        "1",
        "1.",
        "OPTIONAL",
        "UNION",
        ".",
        ";",
        ",",
        "BIND(1 AS ?w)",
        "<a#>",
        "\\",
        "@en",
        "^^",
        "_:b",
        "s:a.",
        "|",
    ),
    *("SERVICE<http://127.0.0.1:1/>{?a ?b ?c}", "SERVICE:x{?a ?b ?c}", "SERVICEs:x\n{?a ?b ?c}", "?a ?b ?c", ">"),
]
disguised = st.builds(
    lambda pieces: (
        "PREFIX : <http://127.0.0.1:1/> PREFIX s: <http://127.0.0.1:1/> SELECT * { "
        + "".join(text + glue for text, glue in pieces)
        + " }"
    ),
    st.lists(st.tuples(st.sampled_from(FRAGMENTS), st.sampled_from(["", "", " "])), max_size=9),
)


def calls_out(text: str) -> bool:
    """Return whether the engine, asked without a gate, would have called another service."""
    store = ox.Store()
    store.add(ox.Quad(ox.NamedNode("http://a"), ox.NamedNode("http://b"), ox.Literal("c")))
    try:
        list(store.query(text, base_iri="http://127.0.0.1:1/"))  # type: ignore[arg-type]
    except OSError as error:
        return "port" in str(error)
    except RuntimeError as error:
        return "service" in str(error).lower()
    except (SyntaxError, TypeError):
        return False
    return False


@given(disguised)
@settings(max_examples=1500)
def test_t13_what_passes_never_calls_out(text: str) -> None:
    """The engine itself is the judge: no text that passes the gate makes it try the address (which nobody answers)."""
    passed = False
    with contextlib.suppress(InvalidInput):
        check_query(text)
        passed = True
    called = calls_out(text)
    event(f"passed: {passed}, calls out: {called}")
    assert not (passed and called)


pieces = st.sampled_from(
    [
        "'",
        '"',
        "\\",
        "\\u0022",
        "\\u0027",
        "\\u000A",
        "\\u0041",
        "\\u003E",
        "\\u005C",
        "<",
        ">",
        "#",
        "\n",
        "a",
        " ",
        "?v",
    ]
)


wrapped = st.sampled_from(["%s", "'%s'", '"%s"', '"""%s"""', "'''%s'''", "<%s>", "# %s\n", "'%s' FILTER(?o<'%s')"])


@given(st.lists(pieces, max_size=6).map("".join), wrapped)
@settings(max_examples=800)
def test_t13_escapes_read_the_same_before_and_after_decoding(middle: str, wrapped: str) -> None:
    """SPARQL 1.1 §19.2 leaves open when escapes are decoded; what passes has the same tokens both ways."""
    text = f"SELECT * {{ ?s ?p ?o {wrapped.replace('%s', middle)} }}"
    try:
        check_query(text)
    except InvalidInput:
        return
    event("passed with an escape" if "\\u" in text else "passed without")
    raw, decoded = (list(_tokens(version, 64)) for version in (text, _decoded(text)))
    assert [token.kind for token in raw] == [token.kind for token in decoded]
    assert [_decoded(token.text) for token in raw] == [token.text for token in decoded]


@given(st.text(max_size=200))
def test_any_text_is_a_query_or_a_refusal(text: str) -> None:
    """The gate has no third answer: nothing a stranger sends is an error of ours."""
    for candidate in (text, f"SELECT * {{ {text} }}"):
        with contextlib.suppress(InvalidInput):
            assert check_query(candidate).text == candidate


# --- the dataset ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clauses", "default", "named"),
    [
        ("", (A, B), (A, B)),
        (f"FROM <{A}>", (A,), ()),
        (f"FROM <{A}> FROM <{B}> FROM <{A}>", (A, B), ()),
        (f"FROM NAMED <{B}>", (), (B,)),
        (f"FROM <{A}> from named <{B}>", (A,), (B,)),
        ("FROM w:a.example", (A,), ()),
        ("FROM NAMED w:a\\.example", (A,), ()),
    ],
)
def test_from_narrows_the_dataset(clauses: str, default: tuple[str, ...], named: tuple[str, ...]) -> None:
    """FROM and FROM NAMED choose among the graphs the asker may read, by IRI or prefixed name (SPARQL 1.1 §13.2)."""
    query = check_query(f"PREFIX w: <did:web:> SELECT * {clauses} {{ ?s ?p ?o }}")
    if "\\." in clauses:
        default, named = (), (A,)
    assert query.dataset([A, B]) == (default, named)


@pytest.mark.parametrize("graph", [C, "file:///etc/passwd", "http://127.0.0.1/", "urn:greendeal:ns:control:meta", "x"])
@pytest.mark.parametrize("clause", ["FROM", "FROM NAMED"])
def test_t13_from_never_widens_the_dataset(graph: str, clause: str) -> None:
    """A file, a URL, the store's notes and somebody else's graph are all the same: not yours to read."""
    query = check_query(f"SELECT * {clause} <{graph}> {{ ?s ?p ?o }}")
    with pytest.raises(InvalidInput, match="not among the graphs you may read"):
        query.dataset([A, B])


@given(st.lists(st.sampled_from([A, B, C])), st.lists(st.sampled_from([A, B, C])), st.sets(st.sampled_from([A, B, C])))
def test_t13_the_dataset_is_always_within_the_rights(default: list[str], named: list[str], allowed: set[str]) -> None:
    """For any clauses and any rights: what is read was allowed."""
    clauses = "".join(f" FROM <{g}>" for g in default) + "".join(f" FROM NAMED <{g}>" for g in named)
    query = check_query(f"CONSTRUCT {{ ?s ?p ?o }}{clauses} WHERE {{ ?s ?p ?o }}")
    try:
        merged, graphs = query.dataset(sorted(allowed))
    except InvalidInput:
        assert not {*default, *named} <= allowed
        return
    assert {*merged, *graphs} <= allowed
    assert {*default, *named} <= {*merged, *graphs}


def test_a_base_iri_resolves_the_graph() -> None:
    """A relative graph is read against BASE, as the engine would."""
    query = check_query("BASE <http://x/a/> SELECT * FROM <b> { ?s ?p ?o }")
    assert query.default_graphs == ("http://x/a/b",)


# --- formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "kind", "media_type"),
    [
        (None, Kind.SELECT, "application/sparql-results+json"),
        ("", Kind.ASK, "application/sparql-results+json"),
        ("*/*", Kind.CONSTRUCT, "text/turtle"),
        ("text/csv", Kind.SELECT, "text/csv"),
        ("text/*", Kind.SELECT, "text/csv"),
        ("text/*;q=0.5, text/tab-separated-values", Kind.SELECT, "text/tab-separated-values"),
        ("text/csv;q=0, text/*", Kind.SELECT, "text/tab-separated-values"),
        ("application/sparql-results+xml, */*;q=0.1", Kind.ASK, "application/sparql-results+xml"),
        ("application/rdf+xml;q=0.9, text/turtle;q=0.8", Kind.DESCRIBE, "application/rdf+xml"),
        ("application/ld+json; profile=x, text/html", Kind.CONSTRUCT, "application/ld+json"),
        ("Application/N-Triples", Kind.CONSTRUCT, "application/n-triples"),
        ("application/json", Kind.SELECT, "application/json"),
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", Kind.SELECT, "application/sparql-results+json"),
    ],
)
def test_accept_picks_the_format(accept: str | None, kind: Kind, media_type: str) -> None:
    """Weights, ranges and the preference of the server decide as RFC 9110 §12.5.1 has it."""
    assert negotiate(accept, kind) == media_type


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/turtle", Kind.SELECT),
        ("text/csv", Kind.ASK),
        ("*/*;q=0", Kind.SELECT),
        ("text/csv;q=2", Kind.SELECT),
        (",", Kind.ASK),
    ],
)
def test_an_accept_nothing_fits_is_refused(accept: str, kind: Kind) -> None:
    """CSV has no form for ASK, a graph none for bindings; the refusal lists what there is."""
    with pytest.raises(NotAcceptable) as refused:
        negotiate(accept, kind)
    assert all(media_type in str(refused.value) for media_type in FORMATS[kind])


ranges = st.sampled_from(
    ["*/*", "text/*", "application/*", "text/html", *FORMATS[Kind.SELECT], *FORMATS[Kind.DESCRIBE]]
)
weights = st.sampled_from(["", ";q=0", ";q=0.3", ";q=1.0", ";q=nonsense"])


@given(st.lists(st.tuples(ranges, weights).map("".join)).map(", ".join), st.sampled_from(Kind))
def test_the_format_is_one_the_asker_named(accept: str, kind: Kind) -> None:
    """Whatever is asked for, the answer has a format of its kind that Accept covers, or there is none."""
    with contextlib.suppress(NotAcceptable):
        media_type = negotiate(accept, kind)
        assert media_type in FORMATS[kind]
        covering = {media_type, media_type.split("/")[0] + "/*", "*/*"}
        assert not accept or any(part.split(";")[0] in covering for part in accept.split(", "))
