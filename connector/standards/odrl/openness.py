"""Is a policy open: may anybody do anything with the data, now and later, without asking first?

The question is put to `decide` for a user of whom nothing is known: whatever such a user is refused, or would have to
state, pay or ask for first, closes the policy. What is owed with or after the use, such as naming the source, does not.
"""

from datetime import datetime
from typing import Final

from connector.standards.odrl import terms
from connector.standards.odrl.boundary import next_boundary
from connector.standards.odrl.decide import decide
from connector.standards.odrl.operands import OPERANDS, Facts, Table
from connector.standards.odrl.policy import Policy

FREEDOMS: Final = (
    "use",
    terms.ODRL + "reproduce",
    terms.ODRL + "modify",
    terms.ODRL + "derive",
    terms.ODRL + "distribute",
    terms.CC + "CommercialUse",
)
"""What an open licence lets everyone do."""

BOUNDARIES: Final = 16
"""Moments at which a policy changes that are looked at; one with more of them is not open anyway."""


def closings(policy: Policy, now: datetime, table: Table = OPERANDS) -> tuple[str, ...]:
    """Return what keeps `policy` from being open, in whole sentences; empty: it is open.

    Args:
        policy: the terms.
        now: from when on it has to be open.
        table: the operands that are known.
    """
    moment: datetime | None = now
    found: dict[str, None] = {}
    for _ in range(BOUNDARIES):
        if moment is None or found:
            break
        for action in FREEDOMS:
            decision = decide(policy, action, Facts(now=moment), table)
            if not decision.permitted:
                found.update(dict.fromkeys(decision.reasons))
        moment = next_boundary(policy, moment, table)
    return tuple(found)
