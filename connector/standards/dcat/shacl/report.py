"""The report on a record: its verdict at once, its words when somebody reads them."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct
from pyoxigraph import Triple

from connector.errors import InvalidInput, Refusal
from connector.standards.dcat.shacl.profiles import LEVELS
from connector.standards.dcat.shacl.results import Result, key_of, without_repetitions
from connector.standards.dcat.shacl.sentences import Language, say
from connector.standards.dcat.shacl.speech import Speech
from connector.standards.dcat.shacl.words import Said, Wording
from connector.standards.rdf import full

Severity: TypeAlias = Literal["violation", "warning", "info"]

_SEVERITIES: Final[Mapping[str, Severity]] = {
    full("sh:Violation"): "violation",
    full("sh:Warning"): "warning",
    full("sh:Info"): "info",
}
SHOWN: Final = 50
"""Findings in a text or on a page; the rest is counted."""
LISTED: Final = 10_000
"""Findings in an answer of the API; more are counted."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is not as the profile has it.

    Attributes:
        level: the level of the profile, such as structure.
        focus: the node it is about: an IRI, or `_:` and a label.
        path: IRI of the property; `^` before it for the property seen from the other end; None for the node itself.
        component: IRI of the constraint component that is broken, such as sh:MinCountConstraintComponent.
        severity: violation, warning or info.
        value: what was found, where there is one value.
        label: the thing and the property as people call them, such as "Dataset, title".
        message: what is wrong, in one sentence.
        allowed: what is allowed, where it can be said in few words.
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
    allowed: str | None
    fix: str

    def row(self) -> dict[str, Any]:
        """Return the finding as the commands and the API list it."""
        return {name: getattr(self, name) for name in _ROW}


_ROW: Final = ("level", "focus", "path", "component", "severity", "value", "message", "fix")


class Judged(Struct, frozen=True, kw_only=True):
    """What one level found.

    Attributes:
        level: its name.
        gate: whether a violation of it refuses the record.
        results: what was found.
        speech: the words in its shapes.
        owners: the profile that each shape is from.
        by: who found it: the compiled shapes, or pySHACL.
    """

    level: str
    gate: bool
    results: tuple[Result, ...]
    speech: Speech
    owners: dict[str, str]
    by: Literal["compiled", "pySHACL"] = "compiled"


class Report:
    """The verdict on one record, and what was found.

    Args:
        name: of the profile.
        title: of the profile, with its version.
        record: what was judged.
        judged: what the levels found that count, or that may refuse the record.
        later: gives what the others found.
        upto: the level up to which findings count for the verdict.
        language: of the words.
    """

    def __init__(
        self,
        *,
        name: str,
        title: str,
        record: Sequence[Triple],
        judged: Sequence[Judged],
        later: Callable[[], Sequence[Judged]] = tuple,
        upto: str = "structure",
        language: Language = "en",
    ) -> None:
        self.name, self.profile, self.upto, self.language = name, title, upto, language
        self.record, self._first, self._later = tuple(record), tuple(judged), later

    @cached_property
    def judged(self) -> tuple[Judged, ...]:
        """What each level found, in their order."""
        return tuple(sorted((*self._first, *self._later()), key=lambda each: LEVELS.index(each.level)))

    @property
    def conforms(self) -> bool:
        """No finding, of whatever severity, up to the level that counts (SHACL §3.4)."""
        counted = LEVELS[: LEVELS.index(self.upto) + 1]
        return not any(each.results for each in self._first if each.level in counted)

    @property
    def accepted(self) -> bool:
        """No violation of a gate level: such a record may be published."""
        violation = full("sh:Violation")
        return not any(one.rule.severity == violation for each in self._first if each.gate for one in each.results)

    @property
    def total(self) -> int:
        """The number of findings."""
        return len(self.kept)

    def again(self, *, upto: str | None = None, language: Language | None = None) -> "Report":
        """Return the same report for another level or in another language."""
        return Report(
            name=self.name,
            title=self.profile,
            record=self.record,
            judged=self.judged,
            upto=upto or self.upto,
            language=language or self.language,
        )

    @cached_property
    def said(self) -> Said:
        """What the record says of each node."""
        return Said(self.record)

    @cached_property
    def kept(self) -> tuple[tuple[Judged, Result], ...]:
        """Every result with its level, without those that one profile only repeats after another, in a stable order."""
        return tuple(
            (each, result)
            for each in self.judged
            for result in sorted(without_repetitions(each.results, each.owners), key=_place)
        )

    @cached_property
    def results(self) -> tuple[Finding, ...]:
        """Every finding in words, level by level, the violations first."""
        return self.findings(None)

    def findings(self, most: int | None) -> tuple[Finding, ...]:
        """Return the first findings in words."""
        wordings = {each.level: Wording(each.speech, self.said, self.language) for each in self.judged}
        return tuple(_finding(each.level, result, wordings[each.level]) for each, result in self.kept[:most])

    @property
    def names(self) -> dict[str, str]:
        """What each node that has findings is called."""
        foci = dict.fromkeys(key_of(result.focus) for _, result in self.kept)
        return {focus: self.said.name(focus, self.language) for focus in foci}

    def headline(self) -> str:
        """Return the verdict in a sentence."""
        if not self.total:
            return say("meets", self.language, profile=self.profile)
        verdict = "meets" if self.conforms else "fails"
        number = "one" if self.total == 1 else "some"
        return say(f"{verdict} with {number}", self.language, profile=self.profile, count=self.total)

    def groups(self, most: int = SHOWN) -> dict[str, list[Finding]]:
        """Return the first findings by what they are about."""
        groups: defaultdict[str, list[Finding]] = defaultdict(list)
        for finding in self.findings(most):
            groups[finding.focus].append(finding)
        return dict(groups)

    def text(self) -> str:
        """Return the report as a person reads it, grouped by what the findings are about."""
        lines = [self.headline()]
        for focus, findings in self.groups().items():
            lines += ["", self.said.name(focus, self.language)]
            for each in findings:
                lines += [f"- {each.message}{self.mark(each)}", f"  {say('to fix', self.language, fix=each.fix)}"]
        if self.total > SHOWN:
            lines += ["", say("cut", self.language, count=self.total - SHOWN)]
        return "\n".join(lines)

    def mark(self, finding: Finding) -> str:
        """Return how serious a finding is and of which level, where it is not a violation of the structure."""
        marks = [] if finding.severity == "violation" else [say(finding.severity, self.language)]
        marks += [] if finding.level == "structure" else [say(finding.level, self.language)]
        return f" ({', '.join(marks)})" if marks else ""

    def document(self, most: int | None = None) -> dict[str, Any]:
        """Return the report as the commands and the API give it.

        Args:
            most: findings to list; where there are more, `total` counts them.
        """
        found = {
            "profile": self.name,
            "parses": True,
            "conforms": self.conforms,
            "results": [each.row() for each in self.findings(most)],
        }
        return found if most is None or self.total <= most else {**found, "total": self.total}

    def json(self) -> bytes:
        """Return the report as JSON, bounded as an answer over the network has to be."""
        return msgspec.json.encode(self.document(LISTED))

    def refusal(self) -> InvalidInput:
        """Return the refusal of a record that is not accepted, with every violation of a gate level as a reason."""
        gates = {each.level for each in self.judged if each.gate}
        broken = [each for each in self.results if each.severity == "violation" and each.level in gates]
        return InvalidInput(
            f"The record does not meet {self.profile}.",
            where=broken[0].focus if broken else None,
            fix="Mend each of these and send the record again.",
            reasons=[f"{each.message} {each.fix}" for each in broken],
        )


def _place(result: Result) -> tuple[bool, bool, str, str, str, str]:
    """Return where a result stands in the report: violations first, then things with an IRI, then by name."""
    rule, focus = result.rule, key_of(result.focus)
    value = "" if result.value is None else key_of(result.value)
    mild = _SEVERITIES.get(rule.severity, "violation") != "violation"
    return mild, focus.startswith("_:"), focus, rule.path.text if rule.path else "", rule.component, value


def _finding(level: str, result: Result, wording: Wording) -> Finding:
    words = wording.words(result)
    rule = result.rule
    return Finding(
        level=level,
        focus=key_of(result.focus),
        path=rule.path.text if rule.path else None,
        component=rule.component,
        severity=_SEVERITIES.get(rule.severity, "violation"),
        value=None if result.value is None else key_of(result.value),
        label=words.label,
        message=words.message,
        allowed=words.allowed,
        fix=words.fix,
    )


def unread(name: str, refusal: Refusal, text: str, *, parses: bool = False) -> dict[str, Any]:
    """Return the report on what cannot be read, or cannot be judged, at all.

    Args:
        name: of the profile.
        refusal: why.
        text: what is wrong, with the line.
        parses: whether it could be read.
    """
    finding = {
        "level": "structure" if parses else "syntax",
        "focus": None,
        "path": None,
        "component": None,
        "severity": "violation",
        "value": None,
        "message": text,
        "fix": refusal.fix or "Mend the text at the line that is named, and check it again.",
    }
    return {"profile": name, "parses": parses, "conforms": False, "results": [finding]}
