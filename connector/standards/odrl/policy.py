"""A usage policy as typed values: what ODRL 2.2 says, as far as this connector understands it.

A `Policy` holds rules; a `Rule` is one action under conditions that must all hold; a condition is one `Constraint` or a
`Logical` tree of them. All names are absolute IRIs, all instants are UTC: the wire's spellings end at `intake`.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum

from msgspec import Struct


class Truth(IntEnum):
    """Kleene's three values, ordered so that *and* is `min` and *or* is `max`."""

    FALSE = 0
    UNKNOWN = 1
    TRUE = 2


class Kind(StrEnum):
    """The policy classes of ODRL 2.2 §2.1; the Dataspace Protocol exchanges offers and agreements."""

    OFFER = "Offer"
    AGREEMENT = "Agreement"
    SET = "Set"
    REQUEST = "Request"

    @property
    def word(self) -> str:
        """What a sentence calls it."""
        return {Kind.OFFER: "offer", Kind.AGREEMENT: "agreement", Kind.REQUEST: "request"}.get(self, "policy")


class Operator(StrEnum):
    """The operators of ODRL 2.2 §2.5.2, spelled as the Dataspace Protocol's schema demands them on the wire."""

    EQ = "eq"
    NEQ = "neq"
    GT = "gt"
    GTEQ = "gteq"
    LT = "lt"
    LTEQ = "lteq"
    IS_A = "isA"
    HAS_PART = "hasPart"
    IS_PART_OF = "isPartOf"
    IS_ALL_OF = "isAllOf"
    IS_ANY_OF = "isAnyOf"
    IS_NONE_OF = "isNoneOf"

    @property
    def takes_many(self) -> bool:
        """Whether the right side may be a list; ODRL gives every other operator one value."""
        return self in {Operator.IS_ALL_OF, Operator.IS_ANY_OF, Operator.IS_NONE_OF}


class Junction(StrEnum):
    """How the members of a logical constraint are joined (ODRL 2.2 §2.5.2)."""

    AND = "and"
    OR = "or"
    XONE = "xone"
    SEQUENCE = "andSequence"


class Day(Struct, frozen=True, order=True):
    """A whole calendar day (`xsd:date`), kept as the UTC instant at which it starts."""

    start: datetime

    @property
    def end(self) -> datetime:
        """The first instant after the day."""
        return self.start + timedelta(days=1)


Value = str | int | Decimal | datetime | Day
"""One right-hand value: an IRI, a number, a UTC instant or a day."""


class Constraint(Struct, frozen=True):
    """`left operator right`: one comparison. `left` is the IRI of an operand."""

    left: str
    operator: Operator
    right: tuple[Value, ...]
    id: str | None = None


class Logical(Struct, frozen=True):
    """Several conditions joined; `members` is never empty."""

    junction: Junction
    members: tuple["Condition", ...]
    id: str | None = None


Condition = Constraint | Logical


class Rule(Struct, frozen=True):
    """One action, allowed, forbidden or owed while all `constraints` hold.

    `duties` are what a permission asks in return; a prohibition, an obligation and a duty have none.
    """

    action: str
    constraints: tuple[Condition, ...] = ()
    duties: tuple["Rule", ...] = ()
    id: str | None = None


class Policy(Struct, frozen=True, kw_only=True):
    """An ODRL policy. Permissions are alternatives, prohibitions override them, obligations stand beside both.

    `profile` lists absolute IRIs; `timestamp` is the wire text an Agreement carries (DSP §8.2); `remarks` are metadata
    that change no meaning, as pairs of absolute IRI and JSON text.
    """

    kind: Kind = Kind.OFFER
    id: str | None = None
    target: str | None = None
    assigner: str | None = None
    assignee: str | None = None
    permissions: tuple[Rule, ...] = ()
    prohibitions: tuple[Rule, ...] = ()
    obligations: tuple[Rule, ...] = ()
    profile: tuple[str, ...] = ()
    timestamp: str | None = None
    remarks: tuple[tuple[str, str], ...] = ()


def utc(moment: datetime) -> datetime:
    """Return `moment` in UTC.

    Raises:
        ValueError: it has no zone, so it names no instant.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; an instant is needed.")
    return moment.astimezone(UTC)
