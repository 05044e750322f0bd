"""Ways to judge a record, to be compared: pySHACL as it comes, pySHACL as the judge, and compiled shapes."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Final, TypeAlias

import pyshacl
import rdflib
from pyoxigraph import Triple

from connector.standards.dcat.shacl.compiled import Compiled, compile_shapes
from connector.standards.dcat.shacl.judge import Judge
from connector.standards.dcat.shacl.results import multiset
from connector.standards.dcat.shacl.view import View, index_of
from connector.standards.rdf import Format, Triples, full, parse, term_of, to_rdflib
from tests.conftest import references

Results: TypeAlias = Counter[tuple[str, str, str, str, str]]

SH: Final = rdflib.Namespace(full("sh:"))
OFFICIAL: Final = {
    "dcat-ap": ("dcat-ap-3.0.1/shapes.ttl",),
    "dcat-ap ranges": ("dcat-ap-3.0.1/range.ttl",),
    "dcat-ap recommended": ("dcat-ap-3.0.1/shapes_recommended.ttl",),
    "dcat-ap vocabularies": ("dcat-ap-3.0.1/mdr-vocabularies.shape.ttl",),
    "dcat-ap 2026": ("dcat-ap-3.0.1-2026/shapes.ttl", "dcat-ap-3.0.1-2026/range.ttl"),
    "dcat-ap generated": ("dcat-ap-3.0.1-2026/dcat-ap-SHACL.ttl",),
    "geodcat-ap": ("geodcat-ap-3.1.0/geodcat-ap-SHACL.ttl",),
    "hvd": ("hvd-3.0.0/hvd-SHACL.ttl", "hvd-3.0.0/hvd-SHACL-usagenotes.ttl"),
    "hvd ranges": ("hvd-3.0.0/hvd-SHACL-ranges.ttl",),
    "hvd draft": (
        "hvd-3.0.1-draft/hvd-SHACL-usagenotes.ttl",
        "hvd-3.0.1-draft/hvd-SHACL-cv.ttl",
        "hvd-3.0.1-draft/hvd-SHACL-api.ttl",
    ),
    "statdcat-ap": ("statdcat-ap-3.0.0-draft/statdcatap-SHACL.ttl",),
}
"""Published shape files, by a name for the test."""


@cache
def official(name: str) -> Triples:
    """Return published shapes."""
    folder = references() / "standards" / "shapes"
    base = "http://example.org/shapes/"
    return tuple(
        triple for file in OFFICIAL[name] for triple in parse((folder / file).read_bytes(), Format.TURTLE, base=base)
    )


@cache
def compiled(name: str) -> Compiled:
    """Return published shapes, compiled."""
    return compile_shapes(official(name))


@cache
def judge(name: str) -> Judge:
    """Return pySHACL with published shapes."""
    return Judge(official(name))


def fast(shapes: Compiled, record: Iterable[Triple]) -> Results:
    """Return what compiled shapes find."""
    return multiset(shapes.results(View(index_of(record))))


def plain(shapes: Triples, record: Triples) -> Results:
    """Return what pySHACL finds when it is called as its documentation says."""
    _, report, _ = pyshacl.validate(to_rdflib(record), shacl_graph=to_rdflib(shapes), inplace=True)
    assert isinstance(report, rdflib.Graph)
    head = report.value(None, rdflib.RDF.type, SH.ValidationReport)
    return Counter(_row(report, result) for result in report.objects(head, SH.result))


def _row(report: rdflib.Graph, result: rdflib.term.Node) -> tuple[str, str, str, str, str]:
    found = {name: report.value(result, SH[name]) for name in ("focusNode", "resultPath", "value")}
    component, severity = (report.value(result, SH[name]) for name in ("sourceConstraintComponent", "resultSeverity"))
    path = found["resultPath"]
    at = str(path) if isinstance(path, rdflib.URIRef) else "" if path is None else "another path"
    value = "" if found["value"] is None else str(term_of(found["value"]))
    return str(term_of(found["focusNode"])), at, str(component), value, str(severity)


def with_plain_paths(found: Results) -> Results:
    """Return results with every path that is no single property called the same, as `plain` does."""
    return Counter(
        {
            (focus, "another path" if path.startswith(("^", "<", "(")) else path, component, value, severity): number
            for (focus, path, component, value, severity), number in found.items()
        }
    )
