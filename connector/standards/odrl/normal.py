"""The normal form: one spelling for policies that state the same, whatever their order, grouping and operators.

It is what is compared, hashed and put into words. Conjunctions are flattened, repeated conditions and rules are
dropped, every comparison takes its operand's one spelling, and all that has no order is sorted. `xone` keeps repeats,
because "exactly one of A and A" is never true; `andSequence` keeps its order.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final, TypeVar

import msgspec

from connector.standards.odrl.operands import Table
from connector.standards.odrl.policy import Condition, Constraint, Junction, Logical, Policy, Rule

SEMANTICS: Final = "1"
"""The version of how policies are read here; it is part of every hash, so a change of meaning changes the hash."""

_T = TypeVar("_T", Condition, Rule)


def tidy(policy: Policy, table: Table) -> Policy:
    """Return `policy` with its rules in normal form; parties, ids of the policy and remarks are kept."""
    return msgspec.structs.replace(
        policy,
        permissions=_sorted(_rule(rule, table) for rule in policy.permissions),
        prohibitions=_sorted(_rule(rule, table) for rule in policy.prohibitions),
        obligations=_sorted(_rule(rule, table) for rule in policy.obligations),
        profile=tuple(sorted(set(policy.profile))),
    )


def fingerprint(policy: Policy, table: Table) -> str:
    """Return the SHA-256, in hex, of the rules of `policy` in normal form."""
    plain = tidy(policy, table)
    return digest(
        {
            "semantics": SEMANTICS,
            "profile": plain.profile,
            "permission": plain.permissions,
            "prohibition": plain.prohibitions,
            "obligation": plain.obligations,
        }
    )


def digest(value: object) -> str:
    """Return the SHA-256, in hex, of `value` as JSON with sorted keys."""
    return sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def _rule(rule: Rule, table: Table) -> Rule:
    duties = _sorted(_rule(duty, table) for duty in rule.duties)
    return Rule(rule.action, _conjunction(rule.constraints, table), duties)


def _conjunction(conditions: Iterable[Condition], table: Table) -> tuple[Condition, ...]:
    """Return the conditions that must all hold, with nested conjunctions spread out."""
    found: list[Condition] = []
    for condition in conditions:
        plain = _condition(condition, table)
        is_and = isinstance(plain, Logical) and plain.junction is Junction.AND
        found.extend(plain.members if isinstance(plain, Logical) and is_and else [plain])
    return _sorted(found)


def _condition(condition: Condition, table: Table) -> Condition:
    if isinstance(condition, Constraint):
        operator, right = table[condition.left].simplify(condition.operator, condition.right)
        return Constraint(condition.left, operator, right)
    members: tuple[Condition, ...]
    if condition.junction is Junction.AND:
        members = _conjunction(condition.members, table)
    else:
        members = tuple(_condition(member, table) for member in condition.members)
    if condition.junction is Junction.OR:
        spread = (part for one in members for part in _alternatives(one))
        members = _sorted(spread)
    elif condition.junction is Junction.XONE:
        members = tuple(sorted(members, key=msgspec.json.encode))
    return members[0] if len(members) == 1 else Logical(condition.junction, members)


def _alternatives(condition: Condition) -> tuple[Condition, ...]:
    is_or = isinstance(condition, Logical) and condition.junction is Junction.OR
    return condition.members if isinstance(condition, Logical) and is_or else (condition,)


def _sorted(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(sorted(set(items), key=msgspec.json.encode))
