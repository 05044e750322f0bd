"""Policies in from the wire and out again: nothing unknown is guessed, and nothing is dropped.

In comes the Dataspace Protocol's policy JSON (DSP 2025-1 §8, ODRL 2.2): bare, prefixed or absolute names, single values
or arrays, compact or expanded. Every key must be understood; a term that is not is a `Finding` with its place and what
is allowed there. `read` refuses on the first sight of one, `understood` lists them all for a policy that is a
stranger's to word. Out goes one spelling: absolute or `odrl:` names, typed string values, arrays.
"""

from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import msgspec
from msgspec import Struct

from connector.errors import InvalidInput, TooLarge
from connector.standards.odrl import normal, terms, values
from connector.standards.odrl.operands import OPERANDS, Operand, Table
from connector.standards.odrl.policy import (
    Condition,
    Constraint,
    Junction,
    Kind,
    Logical,
    Operator,
    Policy,
    Rule,
    Value,
)
from connector.standards.odrl.shape import LIMITS, Limits, measure, structure

KINDS: Final = {kind.value: kind for kind in Kind} | {"Policy": Kind.SET}
RULES: Final = {"permission": "Permission", "prohibition": "Prohibition", "obligation": "Duty"}
PARTIES: Final = ("target", "assigner", "assignee")
ATOM: Final = ("leftOperand", "operator", "rightOperand")
POLICY_KEYS: Final = ("@id", "@type", "profile", *PARTIES, *RULES, "timestamp")
RULE_KEYS: Final = ("@id", "@type", "action", "constraint", *PARTIES)
METADATA: Final = (terms.DCT, terms.RDFS + "label", terms.RDFS + "comment", terms.RDFS + "seeAlso", terms.SKOS)
"""What a policy may say about itself without changing what it allows."""


_Packed = dict[str, str | int] | str
"""A value that JSON-LD would write as an object of texts or as a text."""


class Finding(Struct, frozen=True):
    """Something in a policy that is not understood: what, at which JSON path, and what is allowed there."""

    message: str
    where: str
    allowed: str | None = None

    def __str__(self) -> str:
        """Return it as one sentence."""
        return f"{self.message} (at {self.where})"


def read(document: Mapping[str, Any], table: Table = OPERANDS, limits: Limits = LIMITS) -> Policy:
    """Return the policy that `document` states.

    Raises:
        InvalidInput: a term is unknown or a value ill-typed; names the term, its JSON path, and what is allowed there.
        TooLarge: it is deeper or larger than `limits`.
    """
    reading = _reading(document, table, limits)
    if reading.findings:
        first = reading.findings[0]
        others = [str(finding) for finding in reading.findings[1:]]
        raise InvalidInput(first.message, where=first.where, fix=first.allowed, reasons=others)
    return reading.policy


def understood(document: Mapping[str, Any], table: Table = OPERANDS, limits: Limits = LIMITS) -> tuple[str, ...]:
    """Return what of `document` is not understood, one sentence each; empty when all of it is.

    Never raises: this is the door for a stranger's offer, which is kept as it came and judged as not permitting.
    """
    try:
        return tuple(str(finding) for finding in _Reading(document, table, limits).findings)
    except InvalidInput as refusal:
        return (str(refusal),)


def notes(document: Mapping[str, Any], table: Table = OPERANDS, limits: Limits = LIMITS) -> tuple[str, ...]:
    """Return where reading `document` was lenient: zone-less times read as UTC, values without a datatype, old names.

    Raises:
        TooLarge: it is deeper or larger than `limits`.
    """
    return tuple(_Reading(document, table, limits).notes)


def write(policy: Policy) -> dict[str, Any]:
    """Return the wire form: valid under the Dataspace Protocol's schema where the policy has a rule and an id."""
    written: dict[str, Any] = {"@type": "odrl:Request" if policy.kind is Kind.REQUEST else policy.kind.value}
    if policy.id is not None:
        written["@id"] = policy.id
    if policy.profile:
        written["profile"] = list(policy.profile)
    written |= {key: value for key in (*PARTIES, "timestamp") if (value := getattr(policy, key)) is not None}
    written |= {terms.compact(key): msgspec.json.decode(text) for key, text in policy.remarks}
    for key, rules in zip(RULES, (policy.permissions, policy.prohibitions, policy.obligations), strict=True):
        if rules:
            written[key] = [_write_rule(rule) for rule in rules]
    return written


def same(a: Mapping[str, Any], b: Mapping[str, Any], table: Table = OPERANDS) -> bool:
    """Tell whether two documents state the same rules, whatever their order, spelling, id, kind and parties."""
    return fingerprint(a, table) == fingerprint(b, table)


def fingerprint(document: Mapping[str, Any], table: Table = OPERANDS, limits: Limits = LIMITS) -> str:
    """Return the SHA-256, in hex, of the normal form of the rules.

    A policy that is not fully understood has no normal form of meaning; its structure is hashed instead, order and
    spelling of names aside. So equal fingerprints always mean equal rules.

    Raises:
        TooLarge: it is deeper or larger than `limits`.
    """
    reading = _reading(document, table, limits)
    if reading.findings:
        return normal.digest({"structure": structure(document, ("@id", "@type", "timestamp", *PARTIES))})
    return reading.fingerprint


_KNOWN: Final[OrderedDict[bytes, "_Reading"]] = OrderedDict()
KNOWN: Final = 256
"""How many documents are remembered as they were read: the same terms come again in every message about them."""
KNOWN_BYTES: Final = 16 * 1024


def _reading(document: Mapping[str, Any], table: Table, limits: Limits) -> "_Reading":
    """Return the reading of a document; a small one that was read lately is not read again."""
    if table is not OPERANDS or limits is not LIMITS:
        return _Reading(document, table, limits)
    try:
        key = msgspec.json.encode(document)
    except (TypeError, ValueError, RecursionError):
        return _Reading(document, table, limits)
    known = _KNOWN.get(key)
    if known is None:
        known = _Reading(document, table, limits)
        if len(key) <= KNOWN_BYTES:
            _KNOWN[key] = known
            while len(_KNOWN) > KNOWN:
                _KNOWN.pop(next(iter(_KNOWN)), None)
    return known


def _write_rule(rule: Rule) -> dict[str, Any]:
    written: dict[str, Any] = {} if rule.id is None else {"@id": rule.id}
    written["action"] = terms.compact(rule.action)
    if rule.constraints:
        written["constraint"] = [_write_condition(condition) for condition in rule.constraints]
    if rule.duties:
        written["duty"] = [_write_rule(duty) for duty in rule.duties]
    return written


def _write_condition(condition: Condition) -> dict[str, Any]:
    written: dict[str, Any] = {} if condition.id is None else {"@id": condition.id}
    if isinstance(condition, Logical):
        return written | {condition.junction.value: [_write_condition(member) for member in condition.members]}
    right = [values.write(value) for value in condition.right]
    return written | {
        "leftOperand": terms.compact(condition.left),
        "operator": condition.operator.value,
        "rightOperand": right if condition.operator.takes_many else right[0],
    }


class _Reading:
    """One pass over a document that collects what it finds; `policy` counts only when `findings` is empty."""

    def __init__(self, document: Mapping[str, Any], table: Table, limits: Limits) -> None:
        measure(document, limits)
        self.table = table
        self.limits = limits
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        self.conditions = 0
        self.parties: dict[str, list[tuple[str, str | None]]] = {key: [] for key in PARTIES}
        self.prefixes = self._prefixes(document.get("@context"))
        self.policy = self._policy({key: value for key, value in document.items() if key != "@context"})

    @cached_property
    def fingerprint(self) -> str:
        """The fingerprint of the rules; meaningful where there are no findings."""
        return normal.fingerprint(self.policy, self.table)

    def find(self, message: str, where: str, allowed: str | None = None) -> None:
        """Keep a finding; past a screenful, one more tells nobody anything."""
        if len(self.findings) < self.limits.findings:
            self.findings.append(Finding(message, where, allowed))

    def _prefixes(self, context: Any) -> Mapping[str, str]:
        """Return the known prefixes and those an inline context adds; it must not redefine a known one."""
        found = dict(terms.PREFIXES)
        for entry in context if isinstance(context, list) else [context]:
            if entry is None or isinstance(entry, str):
                continue  # a context by name: messages check which ones are known
            for name, value in entry.items() if isinstance(entry, Mapping) else (("", entry),):
                adds = isinstance(value, str) and value[-1:] in {"#", "/", ":"} and not name.startswith("@")
                if not name or not adds or found.get(name, value) != value:
                    allowed = "Only new prefixes for namespaces may be defined in a policy's own context."
                    self.find(f"The context entry {name!r} is not understood.", "@context", allowed)
                else:
                    found[name] = value
        return found

    def _policy(self, document: Mapping[str, Any]) -> Policy:
        remarks: dict[str, str] = {}
        fields = self._fields(document, "", POLICY_KEYS, remarks)
        kind = self._kind(fields.pop("@type", "Offer"))
        rules = {key: self._rules(key, fields.pop(key, [])) for key in RULES}
        if not rules["permission"] and not rules["prohibition"] and not self.findings:
            self.find("The policy has no permission and no prohibition.", "permission", "Give it at least one of them.")
        profiles = _items(fields.pop("profile", []))
        return Policy(
            kind=kind,
            id=self._name(fields.pop("@id", None), "@id"),
            permissions=rules["permission"],
            prohibitions=rules["prohibition"],
            obligations=rules["obligation"],
            profile=tuple(name for item in profiles if (name := self._profile(item)) is not None),
            timestamp=self._name(fields.pop("timestamp", None), "timestamp"),
            remarks=tuple(sorted(remarks.items())),
            **{key: self._party(key, self._name(fields.get(key), key)) for key in PARTIES},
        )

    def _kind(self, given: Any) -> Kind:
        name = self._name(given, "@type") or "Offer"
        known = KINDS.get(terms.absolute(name, self.prefixes).removeprefix(terms.ODRL))
        if known is None:
            self.find(f"The policy type {name!r} is not understood.", "@type", f"Allowed: {', '.join(KINDS)}.")
        return known or Kind.OFFER

    def _profile(self, given: Any) -> str | None:
        name = self._name(given, "profile")
        iri = None if name is None else terms.expand(name, self.prefixes)
        if iri is not None and iri not in terms.PROFILES:
            self.find(f"The profile {name!r} is not understood.", "profile", f"Allowed: {', '.join(terms.PROFILES)}.")
        return iri

    def _party(self, key: str, stated: str | None) -> str | None:
        """Return the policy's party or target; ODRL may state it on each rule instead, if all agree (§2.7.1)."""
        found = self.parties[key]
        heard = {name for _, name in found} | ({stated} if stated is not None else set())
        if stated is not None:
            heard.discard(None)
        if len(heard) > 1:
            where = next((place for place, name in found if name not in {stated, None}), key)
            self.find(f"The rules have different values of {key!r}.", where, "State it once, for the whole policy.")
        return next(iter(heard), None)

    def _rules(self, key: str, given: Any) -> tuple[Rule, ...]:
        rules: list[Rule] = []
        for at, item in _numbered(given, key):
            rules.extend(self._rule(item, at, RULES[key], duties=key == "permission", outer=True))
        if len(rules) > self.limits.rules:
            raise TooLarge(f"A policy may have {self.limits.rules} rules of a kind; this has {len(rules)}.", where=key)
        return tuple(rules)

    def _rule(self, given: Any, where: str, kind: str, *, duties: bool, outer: bool) -> list[Rule]:
        """Read one rule; several actions make it several rules (ODRL 2.2 §2.7.2)."""
        keys = (*RULE_KEYS, *(("duty",) if duties else ())) if outer else ("@id", "@type", "action", "constraint")
        fields = self._fields(given, where, keys)
        self._typed(fields.pop("@type", None), where, ("Rule", kind))
        if outer:
            for key in PARTIES:
                self.parties[key].append((f"{where}.{key}", self._name(fields.get(key), f"{where}.{key}")))
        constraints = tuple(
            condition
            for at, item in _numbered(fields.get("constraint", []), f"{where}.constraint")
            if (condition := self._condition(item, at, 1)) is not None
        )
        owed = [
            duty
            for at, item in _numbered(fields.get("duty", []), f"{where}.duty")
            for duty in self._rule(item, at, "Duty", duties=False, outer=False)
        ]
        actions = [self._action(item, at) for at, item in _numbered(fields.get("action", []), f"{where}.action")]
        if not actions:
            self.find("The rule has no action.", f"{where}.action", "Name one, such as 'use'.")
        name = self._name(fields.get("@id"), f"{where}.@id")
        return [Rule(action, constraints, tuple(owed), name) for action in actions if action is not None]

    def _action(self, given: Any, where: str) -> str | None:
        name = self._name(given, where)
        if name is None:
            return None
        iri = terms.action(name, self.prefixes)
        if iri is None:
            allowed = ", ".join(terms.compact(known) for known in terms.ACTIONS)
            self.find(f"The action {name!r} is not understood.", where, f"Allowed: {allowed}.")
        elif terms.absolute(name, self.prefixes) in terms.SUCCESSORS:
            self.notes.append(f"the deprecated action {name!r} was read as {terms.compact(iri)!r} (at {where})")
        return iri

    def _condition(self, given: Any, where: str, depth: int) -> Condition | None:
        self.conditions += 1
        if depth > self.limits.nesting or self.conditions > self.limits.conditions:
            limits = f"{self.limits.conditions} conditions, nested {self.limits.nesting} deep"
            raise TooLarge(f"A policy may have {limits}; this has more.", where=where)
        fields = self._fields(given, where, ("@id", "@type", *ATOM, *Junction))
        self._typed(fields.pop("@type", None), where, ("Constraint", "LogicalConstraint"))
        name = self._name(fields.pop("@id", None), f"{where}.@id")
        joined = [key for key in Junction if key in fields]
        if len(joined) == 1 and len(fields) == 1:
            at = f"{where}.{joined[0]}"
            read_members = [self._condition(one, place, depth + 1) for place, one in _numbered(fields[joined[0]], at)]
            members = tuple(member for member in read_members if member is not None)
            if not read_members:
                self.find(f"The logical constraint {joined[0].value!r} joins nothing.", at, "Give it members.")
            return Logical(joined[0], members, name) if members else None
        if joined or set(fields) != set(ATOM):
            missing = [key for key in ATOM if key not in fields]
            self.find(
                f"The constraint {f'lacks {missing[0]!r}' if missing and not joined else 'mixes its forms'}.",
                where,
                f"Allowed: {', '.join(ATOM)}, or one of {', '.join(Junction)}.",
            )
            return None
        return self._atom(fields, where, name)

    def _atom(self, fields: Mapping[str, Any], where: str, name: str | None) -> Constraint | None:
        operand = self._operand(fields["leftOperand"], f"{where}.leftOperand")
        operator = self._operator(fields["operator"], f"{where}.operator", operand)
        if operand is None or operator is None:
            return None
        at = f"{where}.rightOperand"
        stated = fields["rightOperand"]
        if (unpacked := _unpacked(stated)) is not None:
            self.notes.append(f"values written as one text of JSON were read as what they are (at {at})")
            stated = unpacked
        right = [self._value(item, place, operand) for place, item in _numbered(stated, at)]
        if not right or (len(right) > 1 and not operator.takes_many):
            number = "at least one value" if operator.takes_many else "one value"
            self.find(f"The operator {operator.value!r} takes {number}, and {len(right)} are given.", at)
        known = tuple(value for value in right if value is not None)
        return Constraint(operand.iri, operator, known, name) if len(known) == len(right) > 0 else None

    def _operand(self, given: Any, where: str) -> Operand | None:
        name = self._name(given, where)
        if name is None:
            return None
        operand = self.table.get(terms.absolute(name, self.prefixes))
        if operand is None:
            allowed = ", ".join(terms.compact(iri) for iri in self.table)
            self.find(f"The left operand {name!r} is not understood.", where, f"Allowed: {allowed}.")
        return operand

    def _operator(self, given: Any, where: str, operand: Operand | None) -> Operator | None:
        name = self._name(given, where)
        if name is None:
            return None
        local = terms.absolute(name, self.prefixes).removeprefix(terms.ODRL)
        allowed = tuple(Operator) if operand is None else operand.operators
        if local not in allowed:
            about = "" if operand is None else f" for {terms.compact(operand.iri)!r}"
            self.find(f"The operator {name!r} is not understood{about}.", where, f"Allowed: {', '.join(allowed)}.")
            return None
        return Operator(local)

    def _value(self, given: Any, where: str, operand: Operand) -> Value | None:
        term = values.term(given)
        if term is None:
            allowed = 'Allowed: a string, {"@value": "…", "@type": "…"} or {"@id": "…"}, or an array of these.'
            self.find(f"The right operand {values.shown(given)} is not understood.", where, allowed)
            return None
        try:
            return operand.parse(term, self.prefixes, lambda text: self.notes.append(f"{text} (at {where})"))
        except ValueError as refusal:
            self.find(f"The right operand of {terms.compact(operand.iri)!r}: {refusal}", where)
            return None

    def _fields(
        self, given: Any, where: str, known: tuple[str, ...], remarks: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the values of an object by bare key; every key must be one of `known`, or a remark where allowed."""
        fields: dict[str, Any] = {}
        if not isinstance(given, Mapping):
            self.find(f"An object is needed, not {values.shown(given)}.", where or "the policy")
            return fields
        for key, value in given.items():
            at = f"{where}.{key}" if where else key
            iri = terms.absolute(key, self.prefixes)
            bare = {"uid": "@id", terms.RDF + "type": "@type", terms.DSPACE + "timestamp": "timestamp"}.get(
                iri.removeprefix(terms.ODRL), key if key.startswith("@") else iri.removeprefix(terms.ODRL)
            )
            if bare in fields:
                self.find(f"The term {key!r} is given twice, under two spellings.", at)
            elif bare in known:
                fields[bare] = value
            elif remarks is not None and iri.startswith(METADATA):
                remarks[iri] = msgspec.json.encode(value).decode()
            else:
                self.find(f"The term {key!r} is not understood.", at, f"Allowed: {', '.join(known)}.")
        return fields

    def _typed(self, given: Any, where: str, allowed: tuple[str, ...]) -> None:
        name = None if given is None else self._name(given, f"{where}.@type")
        if name is not None and terms.absolute(name, self.prefixes).removeprefix(terms.ODRL) not in allowed:
            self.find(f"The type {name!r} is not understood.", f"{where}.@type", f"Allowed: {', '.join(allowed)}.")

    def _name(self, given: Any, where: str) -> str | None:
        """Return the one name that `given` is: a string, an object with only an id, or an array of one of them."""
        items = _items(given)
        if not items:
            return None
        term = values.term(items[0]) if len(items) == 1 else None
        if term is None or term.datatype is not None or not term.text.strip() or not values.is_name(items[0]):
            extra = sorted(set(items[0]) - {"@id"}) if len(items) == 1 and isinstance(items[0], Mapping) else []
            what = f"The term {extra[0]!r} is not understood here: one" if extra else "One"
            self.find(f"{what} name is needed, not {values.shown(given)}.", where)
            return None
        return term.text


def _items(given: Any) -> list[Any]:
    """Return the values of a JSON-LD property: none, one, or those of an array, `@set` or `@list`."""
    if given is None:
        return []
    if isinstance(given, list | tuple):
        return [item for part in given for item in (_items(part) if _is_wrapper(part) else [part])]
    return _items(next(iter(given.values()))) if _is_wrapper(given) else [given]


def _unpacked(given: Any) -> Any:
    """Return the values that a text of JSON holds, or None where it is a text like any other.

    Eclipse EDC keeps a right operand as text: what was an array comes back from it as JSON in a text.
    """
    if not isinstance(given, str) or not given.startswith(("[", "{")):
        return None
    try:
        return msgspec.json.decode(given, type=list[_Packed] | dict[str, str | int])
    except (msgspec.MsgspecError, UnicodeError):
        return None


def _is_wrapper(given: Any) -> bool:
    return isinstance(given, Mapping) and len(given) == 1 and ("@list" in given or "@set" in given)


def _numbered(given: Any, where: str) -> list[tuple[str, Any]]:
    """Return the values with the JSON path of each."""
    single = not isinstance(given, list | tuple)
    return [(where if single else f"{where}[{index}]", item) for index, item in enumerate(_items(given))]
