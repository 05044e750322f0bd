"""When may the answer change? The next instant at which the clock alone could turn a decision."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from connector.errors import InvalidInput
from connector.standards.odrl.intake import read
from connector.standards.odrl.operands import OPERANDS, Table
from connector.standards.odrl.policy import Condition, Constraint, Policy, utc


def next_boundary(policy: Policy, now: datetime, table: Table = OPERANDS) -> datetime | None:
    """Return the first instant after `now` at which a decision under `policy` may differ from one now, or None.

    From `now` up to and without it every decision on the same facts but the time is the same. Conditions of duties
    count too, although a date in one lifts no duty: a boundary too many costs a question, one too few a wrong answer.

    Args:
        policy: what is decided on.
        now: aware.
        table: the operands known.
    """
    moment = utc(now)
    return min((instant for instant in _instants(policy, table) if instant > moment), default=None)


def next_boundary_of(document: Mapping[str, Any], now: datetime, table: Table = OPERANDS) -> datetime | None:
    """Return the same for a policy as it came on the wire; one that is not understood permits nothing at any time."""
    try:
        policy = read(document, table)
    except InvalidInput:
        return None
    return next_boundary(policy, now, table)


def _instants(policy: Policy, table: Table) -> Iterable[datetime]:
    for rule in (*policy.permissions, *policy.prohibitions, *policy.obligations):
        yield from _of(rule.constraints, table)
        for duty in rule.duties:
            yield from _of(duty.constraints, table)


def _of(conditions: Sequence[Condition], table: Table) -> Iterable[datetime]:
    for condition in conditions:
        if isinstance(condition, Constraint):
            operand = table[condition.left]
            yield from operand.instants(*operand.simplify(condition.operator, condition.right))
        else:
            yield from _of(condition.members, table)
