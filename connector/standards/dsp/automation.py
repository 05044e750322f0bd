"""Automation rules: what a connector does by itself in a negotiation or a transfer, and what waits for a person.

The protocol says which moves a side may make and leaves open when it makes them. A rule is that missing half:

- `accept`: answer at once, as far as the policy permits it;
- `approve`: wait for a person before saying yes;
- `none`: do nothing; a person makes every move;
- `scripted`: make the moves of a script, each when the process is in a certain state, after a delay.

A script is an ordered list. Only its next step counts: it fires when the process is in the step's state, and waits as
long as it is in another. A rule never overrules a policy: what the policy forbids is refused under every rule.
"""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final, Literal, get_args

import msgspec

from connector.errors import InvalidInput
from connector.standards.dsp import negotiation, transfer
from connector.standards.dsp.negotiation import Role

Automation = Literal["accept", "approve", "none", "scripted"]
Process = Literal["negotiation", "transfer"]

AUTOMATIONS: Final[tuple[Automation, ...]] = get_args(Automation)
STEPS: Final = 20
"""Longest script."""
LONGEST: Final = 30 * 24 * 3600.0
"""Longest delay of one step, in seconds."""
REASON_CHARACTERS: Final = 500

_MACHINES: Final[Mapping[Process, ModuleType]] = {"negotiation": negotiation, "transfer": transfer}


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One move of a script: made when the process is in state `on`, `after` seconds later, with `reason` if it ends."""

    on: str
    do: str
    after: float = 0.0
    reason: str | None = None


def read(automation: str, script: Sequence[Any], process: Process, role: Role) -> list[dict[str, Any]]:
    """Return the script of a rule for our side of a process, checked against the protocol's own table.

    Args:
        automation: one of `AUTOMATIONS`.
        script: the steps as JSON objects; empty unless the rule is `scripted`.
        process: of which machine the states and moves are.
        role: whose moves they are.

    Raises:
        InvalidInput: no such rule, a script where none belongs, or a step that the protocol does not allow us.
    """
    if automation not in AUTOMATIONS:
        raise InvalidInput(
            f"There is no automation {automation!r}.", where="automation", fix=f"Choose {', '.join(AUTOMATIONS)}."
        )
    if script and automation != "scripted":
        raise InvalidInput(
            f"The automation {automation!r} has no script.", where="script", fix='Leave it out, or say "scripted".'
        )
    if len(script) > STEPS:
        raise InvalidInput(f"A script has at most {STEPS} steps, not {len(script)}.", where="script")
    return [msgspec.to_builtins(_step(given, f"script[{at}]", process, role)) for at, given in enumerate(script)]


def next_step(script: Sequence[Mapping[str, Any]], cursor: int, state: str) -> Step | None:
    """Return the step to make in `state` when `cursor` steps of a stored script have been made; None means to wait."""
    if cursor >= len(script):
        return None
    step = msgspec.convert(script[cursor], Step)
    return step if step.on == state else None


def _step(given: Any, where: str, process: Process, role: Role) -> Step:
    try:
        step = msgspec.convert(given, Step, strict=True)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"This is no step: {error}.", where=where, fix='Write {"on": STATE, "do": MOVE, "after": SECONDS}.'
        ) from error
    machine = _MACHINES[process]
    if step.on not in set(machine.State):
        raise InvalidInput(
            f"A {process} has no state {step.on!r}.", where=f"{where}.on", fix=f"Choose {', '.join(machine.State)}."
        )
    ours = [str(move) for move in machine.allowed(machine.State(step.on), role)]
    if step.do not in ours:
        raise InvalidInput(
            f"The {role} may not {step.do!r} when the {process} is {step.on}.",
            where=f"{where}.do",
            fix=f"What the {role} may do there: {', '.join(ours) or 'nothing'}.",
        )
    if not 0 <= step.after <= LONGEST:
        raise InvalidInput(f"A delay is from 0 to {LONGEST:.0f} seconds.", where=f"{where}.after")
    if step.reason is not None and len(step.reason) > REASON_CHARACTERS:
        raise InvalidInput(f"A reason has at most {REASON_CHARACTERS} characters.", where=f"{where}.reason")
    return step
