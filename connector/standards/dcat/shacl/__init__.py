"""The check of a record against a profile: compiled shapes find, pySHACL judges what is refused, words explain.

A level of a profile is a `ShapeSet`: the shapes of the profile and of all that it includes, compiled once. `check` uses
the compiled shapes alone, in a fraction of a millisecond; a set with something that is not compiled is judged by
pySHACL. Who refuses a record asks pySHACL first (`Arbiter`), which is slow and belongs into a process of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol, cast

from pyoxigraph import Triple

from connector.errors import InvalidInput
from connector.standards.dcat.shacl import profiles
from connector.standards.dcat.shacl.background import LEVELS as WITH_BACKGROUND
from connector.standards.dcat.shacl.background import background_of
from connector.standards.dcat.shacl.compiled import Compiled, Unsupported, compile_shapes
from connector.standards.dcat.shacl.profiles import SHIPPED, Shelf
from connector.standards.dcat.shacl.report import Finding, Judged, Report, Severity
from connector.standards.dcat.shacl.results import Result, Term, key_of
from connector.standards.dcat.shacl.sentences import Language
from connector.standards.dcat.shacl.speech import Speech
from connector.standards.dcat.shacl.view import View, index_of, triples_of
from connector.standards.rdf import Format, Triples, parse

if TYPE_CHECKING:
    from connector.standards.dcat.shacl.judge import Judge

__all__ = ["Checker", "Finding", "Report", "Severity", "ShapeSet", "check", "checker"]


@dataclass(frozen=True, eq=False)
class ShapeSet:
    """The shapes of one level of a profile.

    Attributes:
        profile: name of the profile.
        level: name of the level.
        gate: whether a violation refuses the record.
        shapes: every statement in the files.
        owners: the profile that each shape is from.
    """

    profile: str
    level: str
    gate: bool
    shapes: Triples
    owners: dict[str, str]

    @cached_property
    def digest(self) -> str:
        """What tells this set from every other one."""
        lines = b"\n".join(str(triple).encode() for triple in self.shapes)
        return sha256(f"{self.profile} {self.level}\n".encode() + lines).hexdigest()

    @cached_property
    def _compiled(self) -> Compiled | tuple[str, ...]:
        try:
            return compile_shapes(self.shapes)
        except Unsupported as found:
            return found.reasons

    @property
    def compiled(self) -> Compiled | None:
        """The shapes as functions; None where pySHACL alone can judge them."""
        return self._compiled if isinstance(self._compiled, Compiled) else None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why they are not compiled."""
        return () if isinstance(self._compiled, Compiled) else self._compiled

    @cached_property
    def speech(self) -> Speech:
        """The words in the shapes."""
        return Speech(self.shapes)

    @cached_property
    def judge(self) -> "Judge":
        """PySHACL with these shapes, in this process.

        Raises:
            InvalidInput: pySHACL refuses the shapes.
        """
        from connector.standards.dcat.shacl.judge import Judge  # noqa: PLC0415 - half a second to import, needed by few

        return Judge(self.shapes)

    @property
    def with_background(self) -> bool:
        """Whether the concepts that a record refers to are looked up."""
        return self.level in WITH_BACKGROUND


class Arbiter(Protocol):
    """Who has the last word."""

    def judged(
        self,
        shapes: ShapeSet,
        record: Triples,
        background: Triples,
        found: Sequence[Result] | None,
        *,
        counts: bool,
    ) -> Sequence[Result] | None:
        """Return what pySHACL finds, or None where what the compiled shapes found stands.

        Args:
            shapes: a level of a profile.
            record: what is checked.
            background: what may be looked up besides.
            found: what the compiled shapes found; None where there are none.
            counts: whether findings of the level count for the verdict.
        """


@dataclass(eq=False)
class Checker:
    """A profile, ready to check records.

    Attributes:
        profile: its manifest.
        sets: its levels in their order.
    """

    profile: profiles.Profile
    sets: tuple[ShapeSet, ...]
    title: str = field(init=False)

    def __post_init__(self) -> None:
        self.title = f"{self.profile.title} {self.profile.version}"

    def check(
        self,
        triples: Iterable[Triple],
        *,
        upto: str = "structure",
        language: Language = "en",
        arbiter: Arbiter | None = None,
    ) -> Report:
        """Return what the profile finds in a record, or in any other graph.

        The levels that count for the verdict, and those that refuse, are checked at once, the others when somebody
        reads what was found.

        Args:
            triples: the record.
            upto: the level up to which findings count for the verdict.
            language: of the report.
            arbiter: has the last word; without one the compiled shapes have it, and about shapes that are not compiled
                pySHACL in this process.

        Raises:
            InvalidInput: there is no such level.
        """
        if upto not in profiles.LEVELS:
            raise InvalidInput(f"There is no level {upto!r}.", fix=f"Use one of: {', '.join(profiles.LEVELS)}.")
        look = _Look(tuple(triples), arbiter)
        counted = profiles.LEVELS[: profiles.LEVELS.index(upto) + 1]
        first = [each for each in self.sets if each.level in counted or each.gate]
        return Report(
            name=self.profile.name,
            title=self.title,
            record=look.record,
            judged=[look.judged(each, counts=each.level in counted) for each in first],
            later=lambda: [look.judged(each, counts=False) for each in self.sets if each not in first],
            upto=upto,
            language=language,
        )


class _Look:
    """One look at a record: what is needed of it is made when it is first needed."""

    def __init__(self, record: Triples, arbiter: Arbiter | None) -> None:
        self.record, self.arbiter = record, arbiter
        self._index = index_of(record)
        self._alone = View(self._index)

    @cached_property
    def _joined(self) -> tuple[View, Triples]:
        more = background_of(self._index)
        return (View(self._index, more) if more else self._alone), tuple(triples_of(more))

    def judged(self, each: ShapeSet, *, counts: bool) -> Judged:
        """Return what one level finds."""
        view, beside = self._joined if each.with_background else (self._alone, ())
        found: Sequence[Result] | None = each.compiled.results(view) if each.compiled else None
        theirs = None
        if self.arbiter is not None:
            theirs = self.arbiter.judged(each, self.record, beside, found, counts=counts)
        if theirs is None and found is None:
            theirs = each.judge.results(self.record, beside)
        return _judged(each, found if theirs is None else theirs, theirs is not None)


def _judged(each: ShapeSet, found: Sequence[Result] | None, by_pyshacl: bool) -> Judged:
    return Judged(
        level=each.level,
        gate=each.gate,
        results=tuple(found or ()),
        speech=each.speech,
        owners=each.owners,
        by="pySHACL" if by_pyshacl else "compiled",
    )


_checkers: Final[dict[tuple[Shelf, str], tuple[int, Checker]]] = {}


def checker(profile: str = "dcat-ap", shelf: Shelf = SHIPPED) -> Checker:
    """Return a profile, ready to check; it is read and compiled when first asked for, and kept.

    Raises:
        InvalidInput: there is no such profile, or its files are not what a profile has.
    """
    stamp, found = shelf.stamp(profile), _checkers.get((shelf, profile))
    if found is None or found[0] != stamp:
        found = _checkers[shelf, profile] = (stamp, Checker(shelf.get(profile), shape_sets(profile, shelf)))
    return found[1]


def shape_sets(profile: str, shelf: Shelf = SHIPPED) -> tuple[ShapeSet, ...]:
    """Return the levels of a profile with their shapes, read anew.

    Raises:
        InvalidInput: there is no such profile, or its files are not what a profile has.
    """
    return tuple(_shape_set(profile, level, shelf) for level in shelf.levels(profile))


def _shape_set(profile: str, level: profiles.Whole, shelf: Shelf) -> ShapeSet:
    shapes: dict[Triple, None] = {}
    owners: dict[str, str] = {}
    for part in level.parts:
        for file in part.files:
            found = _parsed(part.profile, file, shelf)
            shapes.update(dict.fromkeys(found))
            owners.update({key_of(cast("Term", triple.subject)): part.profile for triple in found})
    return ShapeSet(profile, level.name, level.gate, tuple(shapes), owners)


def _parsed(profile: str, file: str, shelf: Shelf) -> Triples:
    try:
        return parse(shelf.read(profile, file), Format.TURTLE, base=f"urn:greendeal:shapes:{profile}:")
    except InvalidInput as refusal:
        where = f"{profile}/{file}" + (f", {refusal.where}" if refusal.where else "")
        raise InvalidInput(refusal.message, where=where, fix=refusal.fix) from refusal


def check(
    triples: Iterable[Triple],
    profile: str = "dcat-ap",
    *,
    upto: str = "structure",
    language: Language = "en",
) -> Report:
    """Return what a profile that ships finds in a record; see `Checker.check`.

    Raises:
        InvalidInput: no profile of that name ships, or there is no such level.
    """
    return checker(profile).check(triples, upto=upto, language=language)
