"""A report in other forms: a fragment of a page, and a report of SHACL in RDF."""

from html import escape
from typing import Final

from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from connector.standards.dcat.shacl.report import SHOWN, Finding, Report
from connector.standards.dcat.shacl.results import Result
from connector.standards.dcat.shacl.sentences import LANGUAGES, say
from connector.standards.dcat.shacl.words import Wording
from connector.standards.rdf import Format, full, serialise

_TYPE: Final = NamedNode(full("rdf:type"))


def html(report: Report) -> str:
    """Return the report as a fragment of HTML, grouped by what the findings are about; every value is escaped."""
    verdict = "conforms" if report.conforms else "fails"
    parts = [
        f'<section class="report {verdict}" lang="{report.language}">',
        f"<p>{escape(report.headline())}</p>",
    ]
    for focus, findings in report.groups().items():
        parts.append(f"<h3>{escape(report.said.name(focus, report.language))}</h3>\n<ul>")
        parts += [_item(report, each) for each in findings]
        parts.append("</ul>")
    if report.total > SHOWN:
        parts.append(f"<p>{escape(say('cut', report.language, count=report.total - SHOWN))}</p>")
    return "\n".join([*parts, "</section>\n"])


def _item(report: Report, finding: Finding) -> str:
    fix = say("to fix", report.language, fix=finding.fix)
    path = f' title="{escape(finding.path)}"' if finding.path else ""
    return (
        f'<li class="{finding.severity} {finding.level}"{path}>{escape(finding.message + report.mark(finding))}'
        f"<br><small>{escape(fix)}</small></li>"
    )


def unread_html(message: str) -> str:
    """Return the fragment about what cannot be read."""
    return f'<section class="report fails">\n<p>{escape(message)}</p>\n</section>\n'


def unread_report(message: str, form: Format) -> bytes:
    """Return the report about what cannot be read: it does not conform, and nothing more can be said of it in SHACL."""
    head = BlankNode()
    said: dict[str, NamedNode | Literal] = {
        full("rdf:type"): NamedNode(full("sh:ValidationReport")),
        full("sh:conforms"): Literal("false", datatype=NamedNode(full("xsd:boolean"))),
        full("rdfs:comment"): Literal(message, language="en"),
    }
    return serialise([Triple(head, NamedNode(name), value) for name, value in said.items()], form)


def validation_report(report: Report, form: Format) -> bytes:
    """Return the report as SHACL has it (SHACL §3.6), with its messages in every language.

    Raises:
        InvalidInput: RDF/XML is asked for, and a value has characters that XML cannot hold.
    """
    head, triples = BlankNode(), list[Triple]()

    def say_of(node: BlankNode, name: str, value: NamedNode | BlankNode | Literal) -> None:
        triples.append(Triple(node, NamedNode(full(f"sh:{name}")), value))

    triples.append(Triple(head, _TYPE, NamedNode(full("sh:ValidationReport"))))
    truth = "true" if report.conforms else "false"
    say_of(head, "conforms", Literal(truth, datatype=NamedNode(full("xsd:boolean"))))
    wordings = {
        (each.level, language): Wording(each.speech, report.said, language)
        for each in report.judged
        for language in LANGUAGES
    }
    for judged, result in report.kept:
        node = BlankNode()
        say_of(head, "result", node)
        triples.append(Triple(node, _TYPE, NamedNode(full("sh:ValidationResult"))))
        for name, value in _parts(result, triples):
            say_of(node, name, value)
        for language in LANGUAGES:
            words = wordings[judged.level, language].words(result)
            say_of(node, "resultMessage", Literal(f"{words.message} {words.fix}", language=language))
    return serialise(triples, form)


def _parts(result: Result, triples: list[Triple]) -> list[tuple[str, NamedNode | BlankNode | Literal]]:
    """Return what is said of a result, and add the description of its path to `triples`."""
    rule = result.rule
    parts: list[tuple[str, NamedNode | BlankNode | Literal]] = [
        ("focusNode", result.focus),
        ("resultSeverity", NamedNode(rule.severity)),
        ("sourceConstraintComponent", NamedNode(rule.component)),
        ("sourceShape", BlankNode(rule.shape[2:]) if rule.shape.startswith("_:") else NamedNode(rule.shape)),
    ]
    if rule.path is not None and rule.path.kind != "repeated":
        parts.append(("resultPath", rule.path.node(triples)))
    if result.value is not None:
        parts.append(("value", result.value))
    return parts
