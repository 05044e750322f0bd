"""A policy in plain English: what you may do, under which conditions, what you owe, and what is forbidden.

The words come from the normal form, so policies that state the same read the same, and every condition is named once.
"""

from collections.abc import Sequence

from connector.standards.odrl import normal, terms
from connector.standards.odrl.operands import OPERANDS, Table
from connector.standards.odrl.policy import Condition, Constraint, Junction, Policy, Rule


def explain(policy: Policy, table: Table = OPERANDS) -> str:
    """Return `policy` as sentences for the person who is to use the data, one line each."""
    plain = normal.tidy(policy, table)
    words = Words(plain, table)
    lines: list[str] = []
    if plain.assignee is not None:
        lines.append(f"This {words.kind} is for '{plain.assignee}' only.")
    lines.extend(" ".join([words.permitted(rule), *map(words.duty, rule.duties)]) for rule in plain.permissions)
    lines.extend(f"Whatever the use: {words.duty(rule)}" for rule in plain.obligations)
    lines.extend(words.prohibited(rule) for rule in plain.prohibitions)
    lines.append("Nothing else is permitted." if plain.permissions else "Nothing is permitted.")
    return "\n".join(lines)


class Words:
    """The sentences of one policy."""

    def __init__(self, policy: Policy, table: Table) -> None:
        self.policy = policy
        self.table = table
        self.kind = policy.kind.word

    def permitted(self, rule: Rule) -> str:
        """Return e.g. "You may use the data if the purpose is 'Academic Research'."."""
        return f"You may {terms.ACTIONS[rule.action].verb}{self._if(rule.constraints)}."

    def prohibited(self, rule: Rule) -> str:
        """Return e.g. "You must not pass the data on to third parties."."""
        return f"You must not {terms.ACTIONS[rule.action].verb}{self._if(rule.constraints)}."

    def duty(self, rule: Rule) -> str:
        """Return e.g. "Afterwards you must delete the data."."""
        order = "Afterwards" if rule.action in terms.AFTERWARDS else "Beforehand"
        return f"{order} you must {terms.ACTIONS[rule.action].verb}{self._if(rule.constraints)}."

    def open_duty(self, rule: Rule) -> str:
        """Return the sentence that refuses a use until the duty is fulfilled."""
        verb = terms.ACTIONS[rule.action].verb
        return f"First you must {verb}{self._if(rule.constraints)}: the {self.kind} asks for it before any use."

    def not_covered(self, action: str) -> str:
        """Say that no permission covers `action`, and what the permissions cover."""
        label = terms.ACTIONS[action].label
        covered = sorted({f"'{terms.ACTIONS[rule.action].label}'" for rule in self.policy.permissions})
        only = f"it permits only {terms.listed(covered, 'and')}" if covered else "it permits nothing"
        return f"The {self.kind} does not permit '{label}': {only}."

    def condition(self, condition: Condition) -> str:
        """Return a condition as a clause that can follow "if"."""
        if isinstance(condition, Constraint):
            operand = self.table[condition.left]
            return operand.condition(*operand.simplify(condition.operator, condition.right))
        parts = [self._member(member) for member in condition.members]
        if condition.junction is Junction.XONE:
            return f"exactly one of these holds: {'; '.join(parts)}"
        joiner = {Junction.OR: " or ", Junction.SEQUENCE: " and then "}.get(condition.junction, " and ")
        return joiner.join(parts)

    def _member(self, condition: Condition) -> str:
        text = self.condition(condition)
        return text if isinstance(condition, Constraint) else f"({text})"

    def _if(self, conditions: Sequence[Condition]) -> str:
        """Return " if …" with all conditions; a logical one among several stands in brackets."""
        if not conditions:
            return ""
        alone = len(conditions) == 1
        return f" if {' and '.join(self.condition(one) if alone else self._member(one) for one in conditions)}"
