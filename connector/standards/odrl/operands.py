"""What a policy can test: one `Operand` per left operand, and the facts they are tested against.

Adding an operand is a plug point: subclass `Operand`, announce an instance under the entry point group
`connector.operands`, and the application hands `table(*found)` to the functions of this package.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Final

from msgspec import Struct, field

from connector.errors import Conflict
from connector.standards.odrl import times
from connector.standards.odrl.concepts import Taxonomy, taxonomy
from connector.standards.odrl.policy import Day, Operator, Truth, Value, utc
from connector.standards.odrl.terms import ODRL, XSD, expand, listed

ENTRY_POINTS: Final = "connector.operands"
EQ, NEQ, LT, LTEQ, GT, GTEQ = Operator.EQ, Operator.NEQ, Operator.LT, Operator.LTEQ, Operator.GT, Operator.GTEQ
LAST: Final = datetime.max.replace(tzinfo=UTC)
IS_A, PART_OF, ANY_OF, NONE_OF = Operator.IS_A, Operator.IS_PART_OF, Operator.IS_ANY_OF, Operator.IS_NONE_OF

Note = Callable[[str], None]
Simple = tuple[Operator, tuple[Value, ...]]


class Term(Struct, frozen=True):
    """One right-hand value as it came: its text, its datatype IRI if any, whether it was written as an IRI (`@id`)."""

    text: str
    datatype: str | None = None
    is_iri: bool = False


class Facts(Struct, frozen=True, kw_only=True):
    """What is known about one use. None means unknown, and unknown never permits.

    `count` is the number of this use, the one asked for included (the first use is 1); `spatial` is the place of use;
    `fulfilled` names the actions of duties that were done; `others` holds the facts of plugged-in operands by IRI.
    """

    now: datetime
    purpose: str | None = None
    recipient: str | None = None
    spatial: str | None = None
    count: int | None = None
    fulfilled: frozenset[str] = frozenset()
    others: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a clock without a zone: it names no instant."""
        utc(self.now)


class Operand(ABC):
    """A left operand: reads its values, compares a fact with them, and words both.

    `simplify` gives one spelling for every comparison that means the same; the other methods may rely on it.
    """

    iri: ClassVar[str]
    name: ClassVar[str]
    operators: ClassVar[tuple[Operator, ...]]
    is_time: ClassVar[bool] = False

    @abstractmethod
    def parse(self, term: Term, prefixes: Mapping[str, str], note: Note) -> Value:
        """Return the typed value; `note` takes sentences about leniency. ValueError says what is allowed."""

    @abstractmethod
    def fact(self, facts: Facts) -> Value | None:
        """Return what `facts` say about this operand, or None."""

    @abstractmethod
    def simplify(self, operator: Operator, right: tuple[Value, ...]) -> Simple:
        """Return the one spelling of this comparison."""

    @abstractmethod
    def holds(self, operator: Operator, right: tuple[Value, ...], fact: Value) -> Truth:
        """Compare `fact` with the simplified comparison."""

    @abstractmethod
    def only(self, operator: Operator, right: tuple[Value, ...]) -> str:
        """Word the simplified comparison after "the offer": "allows only …"."""

    @abstractmethod
    def condition(self, operator: Operator, right: tuple[Value, ...]) -> str:
        """Word the simplified comparison after "if": "the purpose is …"."""

    @abstractmethod
    def stated(self, fact: Value) -> str:
        """Word the fact as the subject of a sentence: "The purpose 'Marketing'"."""

    def instants(self, operator: Operator, right: tuple[Value, ...]) -> tuple[datetime, ...]:  # noqa: ARG002 - for operands of time
        """Return the first instants, in any order, at which the simplified comparison may come out otherwise.

        An operand whose fact does not follow the clock has none.
        """
        return ()

    def missing(self) -> str:
        """Word the lack of a fact: "no purpose was stated"."""
        return f"no {self.name} was stated"


Table = Mapping[str, Operand]


class Concepts(Operand):
    """An operand whose values are concepts of a shipped taxonomy.

    A concept stands for itself and all it includes, so `eq`, `isA`, `isPartOf` and `isAnyOf` ask the same question.
    A fact that is wider than the value, or overlaps it, answers unknown: it could be either.
    """

    file: ClassVar[str]
    example: ClassVar[str]

    def taxonomy(self) -> Taxonomy:
        """Return the taxonomy, read on first use."""
        return taxonomy(self.file)

    def parse(self, term: Term, prefixes: Mapping[str, str], note: Note) -> Value:  # noqa: ARG002 - see Operand
        """Return the IRI of a listed concept."""
        iri = expand(term.text, prefixes)
        if iri not in self.taxonomy().labels:
            raise ValueError(f"{term.text!r} is not a known {self.name}; allowed is {self.example}.")
        return iri

    def simplify(self, operator: Operator, right: tuple[Value, ...]) -> Simple:
        """Keep the widest concepts, under one positive and one negative operator."""
        concepts = self.taxonomy().widest(str(value) for value in right)
        return NONE_OF if operator in {NEQ, NONE_OF} else ANY_OF, concepts

    def holds(self, operator: Operator, right: tuple[Value, ...], fact: Value) -> Truth:
        """Look the fact up in the taxonomy."""
        found = max(self.taxonomy().within(str(fact), str(value)) for value in right)
        return Truth(Truth.TRUE - found) if operator is NONE_OF else found

    def only(self, operator: Operator, right: tuple[Value, ...]) -> str:
        """Return e.g. "allows only 'Academic Research'"."""
        names = self.names(right)
        return f"allows every {self.name} except {names}" if operator is NONE_OF else f"allows only {names}"

    def condition(self, operator: Operator, right: tuple[Value, ...]) -> str:
        """Return e.g. "the purpose is 'Academic Research'"."""
        return f"the {self.name} is {'not ' if operator is NONE_OF else ''}{self.names(right)}"

    def stated(self, fact: Value) -> str:
        """Return e.g. "The purpose 'Marketing'"."""
        return f"The {self.name} {self.taxonomy().label(str(fact))}"

    def names(self, right: tuple[Value, ...]) -> str:
        """Return the labels in quotes: "'A', 'B' or 'C'"."""
        return listed([self.taxonomy().label(str(value)) for value in right])


class Purpose(Concepts):
    """`odrl:purpose`: what the data is used for, from the purposes of the Data Privacy Vocabulary."""

    iri = ODRL + "purpose"
    name = "purpose"
    operators = (EQ, NEQ, IS_A, ANY_OF, NONE_OF)
    file = "purposes.ttl"
    example = "a purpose of the Data Privacy Vocabulary such as https://w3id.org/dpv#AcademicResearch"

    def fact(self, facts: Facts) -> Value | None:
        """Return the stated purpose as an IRI."""
        return None if facts.purpose is None else expand(facts.purpose)


class Spatial(Concepts):
    """`odrl:spatial`: the place of use, a country, the European Union or a continent of the EU authority tables."""

    iri = ODRL + "spatial"
    name = "place of use"
    operators = (EQ, NEQ, IS_A, PART_OF, ANY_OF, NONE_OF)
    file = "countries.ttl"
    example = (
        "a country or continent of the EU authority tables such as "
        "http://publications.europa.eu/resource/authority/country/DEU"
    )

    def fact(self, facts: Facts) -> Value | None:
        """Return the stated place as an IRI."""
        return None if facts.spatial is None else expand(facts.spatial)

    def only(self, operator: Operator, right: tuple[Value, ...]) -> str:
        """Return e.g. "allows use only in 'European Union'"."""
        return f"allows use {'anywhere except' if operator is NONE_OF else 'only'} in {self.names(right)}"

    def condition(self, operator: Operator, right: tuple[Value, ...]) -> str:
        """Return e.g. "the place of use lies in 'European Union'"."""
        return f"the place of use {'does not lie' if operator is NONE_OF else 'lies'} in {self.names(right)}"

    def stated(self, fact: Value) -> str:
        """Return e.g. "Use in 'China'"."""
        return f"Use in {self.taxonomy().label(str(fact))}"


class Recipient(Operand):
    """`odrl:recipient`: who receives the data, compared by participant IRI, letter by letter."""

    iri = ODRL + "recipient"
    name = "recipient"
    operators = (EQ, NEQ, ANY_OF, NONE_OF)

    def parse(self, term: Term, prefixes: Mapping[str, str], note: Note) -> Value:  # noqa: ARG002 - see Operand
        """Return the participant's IRI."""
        iri = expand(term.text, prefixes)
        scheme, colon, rest = iri.partition(":")
        if not (colon and rest and scheme[:1].isalpha() and scheme.replace("+", "").replace("-", "").isalnum()):
            raise ValueError(f"{term.text!r} names no participant; allowed is an IRI such as did:web:weather.example.")
        if any(letter.isspace() or letter in '<>"{}|\\^`' for letter in iri):
            raise ValueError(f"{term.text!r} is no IRI: it holds a character that no IRI may hold.")
        return iri

    def fact(self, facts: Facts) -> Value | None:
        """Return the stated recipient."""
        return facts.recipient

    def simplify(self, operator: Operator, right: tuple[Value, ...]) -> Simple:
        """Sort the participants under one positive and one negative operator."""
        return NONE_OF if operator in {NEQ, NONE_OF} else ANY_OF, tuple(sorted({str(value) for value in right}))

    def holds(self, operator: Operator, right: tuple[Value, ...], fact: Value) -> Truth:
        """Look the participant up in the list."""
        return Truth.TRUE if (fact in right) is (operator is ANY_OF) else Truth.FALSE

    def only(self, operator: Operator, right: tuple[Value, ...]) -> str:
        """Return e.g. "allows only 'did:web:weather.example'"."""
        names = listed([f"'{value}'" for value in right])
        return f"allows every recipient except {names}" if operator is NONE_OF else f"allows only {names}"

    def condition(self, operator: Operator, right: tuple[Value, ...]) -> str:
        """Return e.g. "the recipient is 'did:web:weather.example'"."""
        names = listed([f"'{value}'" for value in right])
        return f"the recipient is {'not ' if operator is NONE_OF else ''}{names}"

    def stated(self, fact: Value) -> str:
        """Return e.g. "The recipient 'did:web:weather.example'"."""
        return f"The recipient '{fact}'"


class Count(Operand):
    """`odrl:count`: the number of this use, so that `count lteq 3` refuses the fourth."""

    iri = ODRL + "count"
    name = "number of the use"
    operators = (EQ, NEQ, LT, LTEQ, GT, GTEQ)
    digits: ClassVar[int] = 12

    def parse(self, term: Term, prefixes: Mapping[str, str], note: Note) -> Value:
        """Return the whole number."""
        kind = None if term.datatype is None else expand(term.datatype, prefixes)
        integers = {
            XSD + name for name in ("integer", "int", "long", "nonNegativeInteger", "positiveInteger", "string")
        }
        text = term.text.strip().removeprefix("+")
        plain = text.isascii() and text.isdecimal() and len(text) <= self.digits
        if term.is_iri or not plain or (kind is not None and kind not in integers):
            raise ValueError(f"{term.text!r} is not a count; allowed is a whole number from 0 such as 3.")
        if kind is None or kind == XSD + "string":
            note(f"the count {term.text!r} has no datatype and was read as xsd:integer")
        return int(text)

    def fact(self, facts: Facts) -> Value | None:
        """Return the number of this use."""
        return facts.count

    def simplify(self, operator: Operator, right: tuple[Value, ...]) -> Simple:
        """Close the open ends: among whole numbers `lt 4` is `lteq 3`."""
        (bound,) = right
        number = int(str(bound))
        if operator is LT:
            return LTEQ, (number - 1,)
        return (GTEQ, (number + 1,)) if operator is GT else (operator, (number,))

    def holds(self, operator: Operator, right: tuple[Value, ...], fact: Value) -> Truth:
        """Compare the numbers."""
        bound, number = int(str(right[0])), int(str(fact))
        answers = {EQ: number == bound, NEQ: number != bound, LTEQ: number <= bound, GTEQ: number >= bound}
        return Truth.TRUE if answers[operator] else Truth.FALSE

    def only(self, operator: Operator, right: tuple[Value, ...]) -> str:
        """Return e.g. "allows at most 3 uses"."""
        bound = int(str(right[0]))
        uses = f"{bound} use{'' if bound == 1 else 's'}"
        return {
            EQ: f"allows only use number {bound}",
            NEQ: f"allows every use but number {bound}",
            LTEQ: f"allows at most {uses}" if bound > 0 else "allows no use at all",
            GTEQ: f"allows only use number {bound} and later ones",
        }[operator]

    def condition(self, operator: Operator, right: tuple[Value, ...]) -> str:
        """Return e.g. "it is one of the first 3 uses"."""
        bound = int(str(right[0]))
        first = "it is the first use" if bound == 1 else f"it is one of the first {bound} uses"
        return {
            EQ: f"it is use number {bound}",
            NEQ: f"it is not use number {bound}",
            LTEQ: first if bound > 0 else "it is no use at all",
            GTEQ: f"it is use number {bound} or a later one",
        }[operator]

    def stated(self, fact: Value) -> str:
        """Return e.g. "Use number 4"."""
        return f"Use number {fact}"

    def missing(self) -> str:
        """Say that the uses were not counted."""
        return "the uses so far were not counted"


class DateTime(Operand):
    """`odrl:dateTime`: the instant of use. A day stands for the whole of it, from 00:00 to 24:00 UTC.

    So `lteq` a day lasts until its end, `lt` a day ends where it starts, `gt` begins after it, `gteq` with it.
    """

    iri = ODRL + "dateTime"
    name = "time of use"
    operators = (EQ, NEQ, LT, LTEQ, GT, GTEQ)
    is_time = True

    def parse(self, term: Term, prefixes: Mapping[str, str], note: Note) -> Value:
        """Return a UTC instant or a day."""
        kind = None if term.datatype is None else expand(term.datatype, prefixes)
        allowed = {None: None, XSD + "string": None, XSD + "date": "date", XSD + "dateTime": "dateTime"}
        stamp = XSD + "dateTimeStamp"
        if term.is_iri or (kind not in allowed and kind != stamp):
            raise ValueError(f"{term.text!r} is no time; allowed is an xsd:dateTime such as 2026-12-31T12:00:00Z.")
        return times.moment(term.text, "dateTime" if kind == stamp else allowed[kind], note)

    def fact(self, facts: Facts) -> Value | None:
        """Return the instant of use."""
        return utc(facts.now)

    def simplify(self, operator: Operator, right: tuple[Value, ...]) -> Simple:
        """Turn bounds that are days into instants."""
        (bound,) = right
        if isinstance(bound, Day):
            if operator is LTEQ:
                return LT, (bound.end,)
            if operator is GT:
                return GTEQ, (bound.end,)
            if operator in {LT, GTEQ}:
                return operator, (bound.start,)
        return operator, right

    def holds(self, operator: Operator, right: tuple[Value, ...], fact: Value) -> Truth:
        """Compare the instants."""
        bound = right[0]
        if not isinstance(fact, datetime) or not isinstance(bound, datetime | Day):
            return Truth.UNKNOWN
        if isinstance(bound, Day):
            return Truth.TRUE if (bound.start <= fact < bound.end) is (operator is EQ) else Truth.FALSE
        answers = {
            EQ: fact == bound,
            NEQ: fact != bound,
            LT: fact < bound,
            LTEQ: fact <= bound,
            GT: fact > bound,
            GTEQ: fact >= bound,
        }
        return Truth.TRUE if answers[operator] else Truth.FALSE

    def instants(self, operator: Operator, right: tuple[Value, ...]) -> tuple[datetime, ...]:
        """Return where the bound lies; what includes it changes a microsecond, the smallest step here, later."""
        bound = right[0]
        if isinstance(bound, Day):
            return bound.start, bound.end
        if not isinstance(bound, datetime):
            return ()
        after = () if bound >= LAST else (bound + timedelta.resolution,)
        return {LT: (bound,), GTEQ: (bound,), LTEQ: after, GT: after}.get(operator, (bound, *after))

    def only(self, operator: Operator, right: tuple[Value, ...]) -> str:
        """Return e.g. "allows use only until the end of 31 December 2026 (UTC)"."""
        return f"allows use only {self._when(operator, right)}"

    def condition(self, operator: Operator, right: tuple[Value, ...]) -> str:
        """Return e.g. "the use is before 5 March 2026, 10:00 UTC"."""
        return f"the use takes place {self._when(operator, right)}"

    def stated(self, fact: Value) -> str:
        """Return e.g. "Use at 5 January 2027, 10:00 UTC"."""
        return f"Use at {times.words(fact) if isinstance(fact, datetime) else fact}"

    @staticmethod
    def _when(operator: Operator, right: tuple[Value, ...]) -> str:
        bound = right[0]
        if isinstance(bound, Day):
            return f"{'on' if operator is EQ else 'on another day than'} {times.day_words(bound)}"
        if not isinstance(bound, datetime):
            return f"{operator} {bound}"
        if times.is_midnight(bound) and operator is LT:
            return f"until the end of {times.last_day_words(bound)} (UTC)"
        if times.is_midnight(bound) and operator is GTEQ:
            return f"from {times.date_words(bound)} (UTC) on"
        words = {EQ: "at", NEQ: "at another time than", LT: "before", LTEQ: "until", GT: "after", GTEQ: "from"}
        return f"{words[operator]} {times.words(bound)}{' on' if operator is GTEQ else ''}"


def table(*extra: Operand) -> Table:
    """Return the operands that ship with the connector and those given.

    Raises:
        Conflict: two operands claim the same IRI.
    """
    found: dict[str, Operand] = {}
    for operand in (DateTime(), Purpose(), Recipient(), Count(), Spatial(), *extra):
        if operand.iri in found:
            raise Conflict(
                f"Two policy operands claim the name {operand.iri}.", fix="Uninstall one of the plug-ins that bring it."
            )
        found[operand.iri] = operand
    return MappingProxyType(found)


OPERANDS: Final = table()
