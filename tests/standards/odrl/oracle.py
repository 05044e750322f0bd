"""A second opinion on decisions, written from the words of the standard and from nothing in the product.

It reads wire documents as they are, and decides by brute force: a place or purpose is a set of possible worlds, an
unknown truth (None) is tried both ways, a day is compared as the text of a date.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import product
from typing import Any

from connector.standards.odrl.decide import Facts

Kleene = bool | None

PARENT = {"read": "use", "play": "use", "display": "play", "distribute": "use", "sell": "transfer"}
WORLDS = {
    "AcademicResearch": {"academic"},
    "CommercialResearch": {"commercial research"},
    "ResearchAndDevelopment": {"academic", "commercial research", "other research"},
    "CommercialPurpose": {"commercial research", "other commerce"},
    "Advertising": {"advertising"},
    "Marketing": {"advertising", "other marketing"},
    "Purpose": {
        *("academic", "commercial research", "other research", "other commerce"),
        *("advertising", "other marketing", "all the rest"),
    },
    "DEU": {"Germany"},
    "CHN": {"China"},
    "TUR": {"Thrace", "Anatolia"},
    "EUR": {"Germany", "the other members", "Guadeloupe"},
    "EUROPE": {"Germany", "the other members", "Thrace", "the rest of Europe"},
    "ASIA": {"China", "Anatolia", "the rest of Asia"},
}


def truth_of(document: Mapping[str, Any], action: str, facts: Facts) -> Kleene:
    """Return whether the use is permitted: True, False, or None when that depends on what is not known."""
    verdicts: list[Kleene] = []
    if "assignee" in document:
        verdicts.append(None if facts.recipient is None else facts.recipient == document["assignee"])
    for rule in document.get("prohibition", []):
        if covers(rule["action"], action):
            applies = every(rule, facts)
            verdicts.append(None if applies is None else not applies)
    granted = [
        combine(all, [every(rule, facts), *(duty_done(duty, facts) for duty in rule.get("duty", []))])
        for rule in document["permission"]
        if covers(rule["action"], action)
    ]
    verdicts.append(combine(any, granted))
    verdicts.extend(duty_done(duty, facts) for duty in document.get("obligation", []))
    return combine(all, verdicts)


def covers(wide: str, narrow: str) -> bool:
    """Whether the first action includes the second."""
    step: str | None = narrow.removeprefix("odrl:")
    while step is not None and step != wide.removeprefix("odrl:"):
        step = PARENT.get(step)
    return step is not None


def duty_done(duty: Mapping[str, Any], facts: Facts) -> bool:
    """Whether a duty stands in nobody's way: it comes later, is done, or surely does not apply."""
    later = duty["action"] == "odrl:delete"
    return later or duty["action"] in facts.fulfilled or every(duty, facts, timed=False) is False


def every(rule: Mapping[str, Any], facts: Facts, *, timed: bool = True) -> Kleene:
    """Whether all constraints of a rule hold."""
    return combine(all, [holds(part, facts, timed=timed) for part in rule.get("constraint", [])])


def combine(how: Callable[[Sequence[bool]], bool], truths: Sequence[Kleene]) -> Kleene:
    """Try every unknown both ways; what comes out the same each time is known."""
    ways = product(*([True, False] if truth is None else [truth] for truth in truths))
    outcomes = {how(way) for way in ways}
    return outcomes.pop() if len(outcomes) == 1 else None


def exactly_one(truths: Sequence[bool]) -> bool:
    """The meaning of xone."""
    return sum(truths) == 1


def holds(part: Mapping[str, Any], facts: Facts, *, timed: bool) -> Kleene:
    """Whether one constraint holds."""
    for name, how in (("and", all), ("andSequence", all), ("or", any), ("xone", exactly_one)):
        if name in part:
            return combine(how, [holds(member, facts, timed=timed) for member in part[name]])
    left, operator, right = part["leftOperand"], part["operator"], part["rightOperand"]
    if left == "odrl:dateTime":
        return in_time(operator, right, facts.now) if timed else None
    if left == "odrl:count":
        return None if facts.count is None else ordered(operator, facts.count, int(right["@value"]))
    values = [value["@id"] for value in (right if isinstance(right, list) else [right])]
    negative = operator in {"neq", "isNoneOf"}
    if left == "odrl:recipient":
        return None if facts.recipient is None else (facts.recipient in values) is not negative
    found = place(facts.purpose if left == "odrl:purpose" else facts.spatial, values)
    return None if found is None else found is not negative


def place(fact: str | None, values: Sequence[str]) -> Kleene:
    """Whether a concept lies in one of those given."""
    worlds = None if fact is None else WORLDS.get(fact.replace("#", "/").rsplit("/", 1)[-1])
    if worlds is None:
        return None
    answers: list[Kleene] = []
    for value in values:
        whole = WORLDS[value.replace("#", "/").rsplit("/", 1)[-1]]
        answers.append(True if worlds <= whole else None if worlds & whole else False)
    return True if True in answers else None if None in answers else False


def in_time(operator: str, right: Mapping[str, str], now: datetime) -> bool:
    """Compare the time; with a date, the date of the time is compared."""
    if right["@type"] == "xsd:date":
        return ordered(operator, now.date().isoformat(), right["@value"])
    return ordered(operator, now.timestamp(), datetime.fromisoformat(right["@value"]).timestamp())


def ordered(operator: str, one: Any, other: Any) -> bool:
    """Compare by order."""
    less, same = bool(one < other), bool(one == other)
    return {
        "eq": same,
        "neq": not same,
        "lt": less,
        "lteq": less or same,
        "gt": not (less or same),
        "gteq": not less,
    }[operator]
