"""The check of a record against a profile: pySHACL judges, and each finding is put into words.

What a property is called, how its value is written and from which
vocabulary it comes is said in the shapes (sh:name, sh:message, gd:example, gd:vocabulary), so the words follow the
rules.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct
from pyoxigraph import Triple

from connector import library
from connector.errors import InvalidInput
from connector.standards.dcat import profiles
from connector.standards.dcat.words import Rule, Said, rules_of, words_for
from connector.standards.rdf import Format, full, parse, term_of, to_rdflib

if TYPE_CHECKING:
    import rdflib
    from rdflib.term import Node

Severity: TypeAlias = Literal["violation", "warning", "info"]

_SH: Final = full("sh:")
_SEVERITIES: Final[Mapping[str, Severity]] = {"Violation": "violation", "Warning": "warning", "Info": "info"}
_SHOWN: Final = 50


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is not as the profile has it.

    Attributes:
        level: the level of the profile, such as structure.
        focus: the node it is about: an IRI, or `_:` and a label.
        path: IRI of the property; `^` before it for the property seen from the other end; None for the node itself.
        component: IRI of the constraint component that is broken, such as sh:MinCountConstraintComponent.
        severity: violation, warning or info.
        value: what was found, where there is one value.
        label: the thing and the property as people call them, such as "dataset: title".
        message: what is wrong, in one sentence.
        fix: what to do.
    """

    level: str
    focus: str
    path: str | None
    component: str
    severity: Severity
    value: str | None
    label: str
    message: str
    fix: str


class Report(Struct, frozen=True, kw_only=True):
    """The verdict on one record.

    Attributes:
        conforms: no level found a violation; warnings and hints do not count.
        profile: name of the profile and its version.
        results: every finding, the violations first, in a stable order.
        names: what each focus node is called, for the text.
    """

    conforms: bool
    profile: str
    results: tuple[Finding, ...]
    names: dict[str, str] = {}

    def text(self) -> str:
        """Return the report as a person reads it, grouped by what the findings are about."""
        if not self.results:
            return f"The record meets {self.profile}."
        groups: dict[str, list[Finding]] = defaultdict(list)
        for finding in self.results[:_SHOWN]:
            groups[finding.focus].append(finding)
        count = len(self.results)
        verdict = "meets" if self.conforms else "does not meet"
        lines = [f"The record {verdict} {self.profile}: {count} {'finding' if count == 1 else 'findings'}."]
        for focus, findings in groups.items():
            lines += ["", self.names.get(focus, focus)]
            for finding in findings:
                mark = "" if finding.severity == "violation" else f" ({finding.severity})"
                lines += [f"- {finding.message}{mark}", f"  To fix it: {finding.fix}"]
        if count > _SHOWN:
            lines += ["", f"… and {count - _SHOWN} more."]
        return "\n".join(lines)

    def json(self) -> bytes:
        """Return the report as JSON."""
        return msgspec.json.encode({"conforms": self.conforms, "profile": self.profile, "results": self.results})

    def refusal(self) -> InvalidInput:
        """Return the refusal of a record that does not conform, with every violation as a reason."""
        broken = [finding for finding in self.results if finding.severity == "violation"]
        return InvalidInput(
            f"The record does not meet {self.profile}.",
            where=broken[0].focus if broken else None,
            fix="Mend each of these and send the record again.",
            reasons=[f"{finding.message} {finding.fix}" for finding in broken],
        )


def check(triples: Iterable[Triple], profile: str = "dcat-ap") -> Report:
    """Return what the profile finds in a record; it is judged on its own triples and nothing else.

    Args:
        triples: the record.
        profile: name of a folder in `shapes/`.

    Raises:
        InvalidInput: no profile of that name ships.
    """
    record = tuple(triples)
    chosen = profiles.profile(profile)
    said = Said(record)
    graph = to_rdflib(record)
    gates = [level for level in profiles.levels(profile) if level.gate]
    findings = [finding for level in gates for finding in _judged(graph, said, profile, level)]
    findings.sort(key=_place)
    return Report(
        conforms=not any(each.severity == "violation" for each in findings),
        profile=f"{chosen.title} {chosen.version}",
        results=tuple(findings),
        names={each.focus: said.name(each.focus) for each in findings},
    )


def _place(finding: Finding) -> tuple[bool, bool, str, str, str, str]:
    """Return where a finding stands in the report: violations first, then things with an IRI, then by name."""
    mild, blank = finding.severity != "violation", finding.focus.startswith("_:")
    return mild, blank, finding.focus, finding.path or "", finding.component, finding.value or ""


@cache
def _shapes(name: str, level: str) -> "tuple[rdflib.Graph, Mapping[str, Rule]]":
    """Return the shapes of one level, parsed once, and the words in them."""
    parts = next(each.parts for each in profiles.levels(name) if each.name == level)
    triples = tuple(
        triple
        for part in parts
        for file in part.files
        for triple in parse(library.read("shapes", f"{part.profile}/{file}"), Format.TURTLE)
    )
    return to_rdflib(triples), rules_of(triples)


def _judged(graph: "rdflib.Graph", said: Said, name: str, level: profiles.Whole) -> list[Finding]:
    import pyshacl  # noqa: PLC0415 - a quarter of a second to import, needed by few
    import rdflib  # noqa: PLC0415 - as above

    shapes, rules = _shapes(name, level.name)
    _, report, _ = pyshacl.validate(
        graph,
        shacl_graph=shapes,
        inference="none",
        inplace=True,
        advanced=False,
        js=False,
        meta_shacl=False,
        do_owl_imports=False,
    )
    if not isinstance(report, rdflib.Graph):
        raise TypeError(f"pySHACL gave no report: {report!r}")
    sh = rdflib.Namespace(_SH)
    results = [
        result for head in report.subjects(rdflib.RDF.type, sh.ValidationReport) for result in report[head : sh.result]
    ]
    return [_finding(report, result, level.name, said, rules) for result in results]


def _finding(report: "rdflib.Graph", result: "Node", level: str, said: Said, rules: Mapping[str, Rule]) -> Finding:
    import rdflib  # noqa: PLC0415 - loaded by the caller

    def one(name: str) -> "Node | None":
        return report.value(result, rdflib.URIRef(_SH + name))

    focus, value, path = one("focusNode"), one("value"), one("resultPath")
    place = _path(report, path)
    component = str(one("sourceConstraintComponent"))
    rule = rules.get(str(one("sourceShape")), Rule())
    at = _named(focus)
    words = words_for(
        rule, component.removeprefix(_SH), said.values(at, place), None if value is None else term_of(value)
    )
    return Finding(
        level=level,
        focus=at,
        path=place,
        component=component,
        severity=_SEVERITIES.get(str(one("resultSeverity")).removeprefix(_SH), "violation"),
        value=None if value is None else _named(value),
        label=rule.label,
        message=words.message,
        fix=words.fix,
    )


def _path(report: "rdflib.Graph", path: "Node | None") -> str | None:
    """Return the IRI of a path, with `^` before an inverse one."""
    import rdflib  # noqa: PLC0415 - loaded by the caller

    if not isinstance(path, rdflib.BNode):
        return None if path is None else str(path)
    inverse = report.value(path, rdflib.URIRef(_SH + "inversePath"))
    return f"^{inverse}"


def _named(node: "Node | None") -> str:
    import rdflib  # noqa: PLC0415 - loaded by the caller

    return f"_:{node}" if isinstance(node, rdflib.BNode) else str(node)
