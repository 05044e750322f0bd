"""May this use happen? Three-valued, fail closed: unknown never permits, and unknown in a prohibition blocks.

Prohibitions override; permissions are alternatives; the constraints of a rule must all hold. A duty that comes before
the use refuses it until it is fulfilled; a duty that can only follow the use travels with the answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from connector.errors import InvalidInput
from connector.standards.odrl import terms
from connector.standards.odrl.explain import Words
from connector.standards.odrl.intake import read, understood
from connector.standards.odrl.operands import OPERANDS, Facts, Operand, Table
from connector.standards.odrl.policy import Condition, Constraint, Junction, Operator, Policy, Rule, Truth, Value

__all__ = ["Decision", "Facts", "Premise", "decide", "judge", "use_limit"]


class Premise(Struct, frozen=True):
    """One thing that was checked: its JSON path in the policy, its words, and what came out."""

    where: str
    text: str
    truth: Truth


class Decision(Struct, frozen=True):
    """Whether a use is permitted, and why.

    `truth` tells a certain no (FALSE) from one for lack of knowledge (UNKNOWN). `reasons` are whole sentences; `duties`
    are the sentences of what the user then owes; `missing` are the IRIs of operands for which a fact was missing.
    """

    permitted: bool
    truth: Truth
    reasons: tuple[str, ...]
    duties: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    premises: tuple[Premise, ...] = ()


class _Claim(Struct, frozen=True):
    """How one rule came out: its truth, the sentences against it, the duties that stay, the facts that lack."""

    truth: Truth
    reasons: tuple[str, ...] = ()
    owed: tuple[Rule, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def distance(self) -> tuple[int, int, int, tuple[str, ...]]:
        """How far it is from permitting, to name the nearest, and how much it asks in return."""
        return -self.truth, len(self.reasons), len(self.owed), self.reasons


def decide(policy: Policy, action: str, facts: Facts, table: Table = OPERANDS) -> Decision:
    """Decide whether `policy` permits `action` (any spelling of an ODRL action) under `facts`."""
    asked = terms.action(action)
    if asked is None:
        reason = f"The action {action!r} is not known, so nothing can permit it."
        return Decision(permitted=False, truth=Truth.UNKNOWN, reasons=(reason,))
    court = _Court(policy, facts, table, asked)
    claims = [court.parties(), *court.prohibitions(), court.permission(), court.obligations()]
    truth = Truth(min(claim.truth for claim in claims))
    if truth is Truth.TRUE:
        owed = tuple(dict.fromkeys(court.words.duty(rule) for claim in claims for rule in claim.owed))
        reasons = (court.granted(), *court.carved_out())
        return Decision(permitted=True, truth=truth, reasons=reasons, duties=owed, premises=tuple(court.premises))
    against = [claim for claim in claims if claim.truth is not Truth.TRUE]
    return Decision(
        permitted=False,
        truth=truth,
        reasons=tuple(dict.fromkeys(reason for claim in against for reason in claim.reasons)),
        missing=tuple(dict.fromkeys(iri for claim in against for iri in claim.missing)),
        premises=tuple(court.premises),
    )


def judge(document: Mapping[str, Any], action: str, facts: Facts, table: Table = OPERANDS) -> Decision:
    """Decide on a policy as it came on the wire; one that is not fully understood permits nothing, and says why."""
    try:
        policy = read(document, table)
    except InvalidInput:
        findings = understood(document, table)
        reasons = tuple(f"Not permitted, because the policy is not fully understood: {finding}" for finding in findings)
        return Decision(permitted=False, truth=Truth.UNKNOWN, reasons=reasons)
    return decide(policy, action, facts, table)


def use_limit(policy: Policy, action: str, facts: Facts, table: Table = OPERANDS) -> int | None:
    """Return how many uses `policy` permits in all under `facts` (whose count is ignored); None means no limit.

    It is the number that a ledger compares with when it spends a use: every use up to it is permitted, the next is not.
    """
    counted = (bound for rule in _rules(policy) for bound in _counts(rule.constraints))
    # Between two bounds the answer cannot change, so their neighbourhoods are all there is to try.
    for number in sorted({1} | {near for bound in counted for near in (bound, bound + 1) if near >= 1}):
        if not decide(policy, action, msgspec.structs.replace(facts, count=number), table).permitted:
            return number - 1
    return None


def _rules(policy: Policy) -> Iterable[Rule]:
    for rule in (*policy.permissions, *policy.prohibitions, *policy.obligations):
        yield rule
        yield from rule.duties


def _counts(conditions: Sequence[Condition]) -> Iterable[int]:
    for condition in conditions:
        if not isinstance(condition, Constraint):
            yield from _counts(condition.members)
        elif condition.left == terms.ODRL + "count":
            yield from (int(str(value)) for value in condition.right)


def join(junction: Junction, truths: Sequence[Truth]) -> Truth:
    """Join truths by Kleene's tables; `andSequence` asks for all, its order is for who watches the use."""
    if junction is Junction.OR:
        return Truth(max(truths))
    if junction is not Junction.XONE:
        return Truth(min(truths))
    if truths.count(Truth.TRUE) > 1:
        return Truth.FALSE
    return Truth.UNKNOWN if Truth.UNKNOWN in truths else Truth(max(truths))


class _Court:
    """One policy, one request, one set of facts."""

    def __init__(self, policy: Policy, facts: Facts, table: Table, asked: str) -> None:
        self.policy = policy
        self.facts = facts
        self.table = table
        self.asked = asked
        self.words = Words(policy, table)
        self.premises: list[Premise] = []
        self.fulfilled = {iri for name in facts.fulfilled if (iri := terms.action(name)) is not None}
        self.grant: Rule | None = None

    def parties(self) -> _Claim:
        """A policy with an assignee is for that party alone."""
        wanted, recipient = self.policy.assignee, self.facts.recipient
        if wanted is None:
            return _Claim(Truth.TRUE)
        truth = Truth.UNKNOWN if recipient is None else Truth.TRUE if recipient == wanted else Truth.FALSE
        text = f"the {self.words.kind} is for '{wanted}' only"
        self.premises.append(Premise("assignee", text, truth))
        if recipient is None:
            return _Claim(truth, (f"No recipient was stated: {text}.",), missing=(terms.ODRL + "recipient",))
        return _Claim(truth, (f"The recipient '{recipient}' is not allowed: {text}.",))

    def prohibitions(self) -> list[_Claim]:
        """Each prohibition of the action, or of one that includes it, must be known not to apply."""
        claims: list[_Claim] = []
        for index, rule in enumerate(self.policy.prohibitions):
            if not terms.includes(rule.action, self.asked):
                continue
            applies = self.all_of(rule.constraints, f"prohibition[{index}]")
            rule_said = self.words.prohibited(rule)
            sentence = f"The {self.words.kind} prohibits this: {rule_said[0].lower()}{rule_said[1:]}"
            lacks = self.unsure(rule.constraints)
            if applies is Truth.UNKNOWN:
                said = terms.listed([self.said(operand) for operand in lacks], "and")
                sentence = f"{sentence.removesuffix('.').replace('prohibits', 'may prohibit', 1)}; {said}."
            missing = tuple(operand.iri for operand in lacks if self.fact(operand) is None)
            claims.append(_Claim(Truth(Truth.TRUE - applies), (sentence,), missing=missing))
        return claims

    def permission(self) -> _Claim:
        """Return the claim of the best permission: one that holds, or else the nearest."""
        found = [
            (self.permitted(rule, f"permission[{index}]"), rule)
            for index, rule in enumerate(self.policy.permissions)
            if terms.includes(rule.action, self.asked)
        ]
        if not found:
            return _Claim(Truth.FALSE, (self.words.not_covered(self.asked),))
        best, self.grant = min(found, key=lambda pair: (*pair[0].distance, msgspec.json.encode(pair[1])))
        return best

    def permitted(self, rule: Rule, where: str) -> _Claim:
        """Weigh one permission: its constraints, then the duties that come first."""
        truths = [self.weigh(one, f"{where}.constraint[{index}]") for index, one in enumerate(rule.constraints)]
        failed = [one for one, truth in zip(rule.constraints, truths, strict=True) if truth is not Truth.TRUE]
        duties = self.duties(rule.duties, f"{where}.duty")
        reasons = tuple(sorted(self.refusal(condition) for condition in failed)) + duties.reasons
        missing = tuple(operand.iri for operand in self.unsure(failed) if self.fact(operand) is None)
        return _Claim(Truth(min([*truths, duties.truth])), reasons, duties.owed, missing)

    def obligations(self) -> _Claim:
        """Return the claim of the policy's own duties, which bind whoever uses the data."""
        return self.duties(self.policy.obligations, "obligation")

    def duties(self, rules: Sequence[Rule], where: str) -> _Claim:
        """A duty that comes first is open until fulfilled, unless its conditions surely do not apply."""
        reasons: list[str] = []
        owed: list[Rule] = []
        for index, rule in enumerate(rules):
            place = f"{where}[{index}]"
            due = self.all_of(rule.constraints, place, untimed=True) is not Truth.FALSE
            first = due and rule.action not in terms.AFTERWARDS
            done = rule.action in self.fulfilled
            if first:
                self.premises.append(Premise(place, self.words.duty(rule), Truth.TRUE if done else Truth.FALSE))
            if first and not done:
                reasons.append(self.words.open_duty(rule))
            elif due and not first:
                owed.append(rule)
        return _Claim(Truth.FALSE if reasons else Truth.TRUE, tuple(sorted(reasons)), tuple(owed))

    def all_of(self, conditions: Sequence[Condition], where: str, *, untimed: bool = False) -> Truth:
        """Weigh conditions that must all hold; none at all hold.

        `untimed` leaves times unknown: in a duty they say until when, so that a date gone by lifts no duty.
        """
        truths = [self.weigh(one, f"{where}.constraint[{at}]", untimed=untimed) for at, one in enumerate(conditions)]
        return Truth(min(truths, default=Truth.TRUE))

    def weigh(self, condition: Condition, where: str, *, untimed: bool = False) -> Truth:
        """Return the truth of one condition and keep it as a premise."""
        if isinstance(condition, Constraint):
            operand, operator, right = self.simple(condition)
            fact = None if untimed and operand.is_time else self.fact(operand)
            truth = Truth.UNKNOWN if fact is None else operand.holds(operator, right, fact)
        else:
            at = f"{where}.{condition.junction.value}"
            members = [
                self.weigh(one, f"{at}[{index}]", untimed=untimed) for index, one in enumerate(condition.members)
            ]
            truth = join(condition.junction, members)
        self.premises.append(Premise(where, self.words.condition(condition), truth))
        return truth

    def simple(self, constraint: Constraint) -> tuple[Operand, Operator, tuple[Value, ...]]:
        """Return the operand and the one spelling of a comparison."""
        operand = self.table[constraint.left]
        return operand, *operand.simplify(constraint.operator, constraint.right)

    def fact(self, operand: Operand) -> Value | None:
        """Return what is known about `operand`."""
        return operand.fact(self.facts)

    def said(self, operand: Operand) -> str:
        """Return e.g. "no purpose was stated", or "the purpose 'Purpose' does not rule it out"."""
        known = self.known(operand)
        return known if self.fact(operand) is None else f"{known} does not rule it out"

    def unsure(self, conditions: Sequence[Condition]) -> list[Operand]:
        """Return the operands of the comparisons that are unknown, each once."""
        found: dict[str, Operand] = {}
        for condition in conditions:
            if isinstance(condition, Constraint):
                operand, operator, right = self.simple(condition)
                fact = self.fact(operand)
                if fact is None or operand.holds(operator, right, fact) is Truth.UNKNOWN:
                    found[operand.iri] = operand
            else:
                found |= {operand.iri: operand for operand in self.unsure(condition.members)}
        return list(found.values())

    def refusal(self, condition: Condition) -> str:
        """Return the sentence that says why `condition` does not hold."""
        if not isinstance(condition, Constraint):
            facts = sorted({self.known(operand) for operand in self.operands(condition.members)})
            return f"The {self.words.kind} asks that {self.words.condition(condition)}; known here: {'; '.join(facts)}."
        operand, operator, right = self.simple(condition)
        only = f"the {self.words.kind} {operand.only(operator, right)}"
        fact = self.fact(operand)
        if fact is None:
            missing = operand.missing()
            return f"{missing[0].upper()}{missing[1:]}: {only}."
        verdict = "is not allowed" if operand.holds(operator, right, fact) is Truth.FALSE else "is not surely allowed"
        return f"{operand.stated(fact)} {verdict}: {only}."

    def known(self, operand: Operand) -> str:
        """Return what is known about `operand`."""
        fact = self.fact(operand)
        if fact is None:
            return operand.missing()
        stated = operand.stated(fact)
        return stated[0].lower() + stated[1:]

    def operands(self, conditions: Sequence[Condition]) -> list[Operand]:
        """Return every operand that occurs in `conditions`, each once."""
        found: dict[str, Operand] = {}
        for condition in conditions:
            if isinstance(condition, Constraint):
                found[condition.left] = self.table[condition.left]
            else:
                found |= {operand.iri: operand for operand in self.operands(condition.members)}
        return list(found.values())

    def granted(self) -> str:
        """Return the sentence that says which permission holds."""
        return "Permitted." if self.grant is None else f"Permitted: {self.words.permitted(self.grant)}"

    def carved_out(self) -> list[str]:
        """Name the prohibited parts of the permitted action: permitting `use` does not permit what is forbidden."""
        return [
            self.words.prohibited(rule)
            for rule in self.policy.prohibitions
            if rule.action != self.asked and terms.includes(self.asked, rule.action)
        ]
