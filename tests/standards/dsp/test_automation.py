"""Automation rules: which scripts are accepted, and which step is next."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import InvalidInput
from connector.standards.dsp import automation, negotiation, transfer
from connector.standards.dsp.automation import Process
from connector.standards.dsp.negotiation import Role

MACHINES: dict[Process, Any] = {"negotiation": negotiation, "transfer": transfer}
PROCESSES = st.sampled_from(sorted(MACHINES))
ROLES = st.sampled_from(Role)


@st.composite
def steps(draw: st.DrawFn, process: Process) -> dict[str, Any]:
    """Make a step that may be allowed or not."""
    machine = MACHINES[process]
    step: dict[str, Any] = {
        "on": str(draw(st.sampled_from(machine.State))),
        "do": str(draw(st.sampled_from(machine.Move))),
    }
    if draw(st.booleans()):
        step["after"] = draw(st.floats(0, automation.LONGEST))
    return step


@given(st.data(), PROCESSES, ROLES)
def test_a_script_is_accepted_exactly_when_the_protocol_allows_each_step(
    data: st.DataObject, process: Process, role: Role
) -> None:
    """A step that the protocol forbids is refused when the script is written, not when it would be made."""
    machine = MACHINES[process]
    script = data.draw(st.lists(steps(process), max_size=4))
    legal = all(machine.may_send(machine.State(step["on"]), machine.Move(step["do"]), role) for step in script)
    if legal:
        kept = automation.read("scripted", script, process, role)
        assert [(step["on"], step["do"], step.get("after", 0.0)) for step in kept] == [
            (step["on"], step["do"], step.get("after", 0.0)) for step in script
        ]
        assert automation.read("scripted", kept, process, role) == kept
    else:
        with pytest.raises(InvalidInput, match="may not"):
            automation.read("scripted", script, process, role)


@given(st.integers(0, 4), st.sampled_from(negotiation.State))
def test_only_the_next_step_counts_and_only_in_its_state(cursor: int, state: negotiation.State) -> None:
    """A script is an order, not a set of reflexes: what comes later waits."""
    script = [{"on": "REQUESTED", "do": "offer"}, {"on": "REQUESTED", "do": "terminate"}, {"on": "OFFERED", "do": "x"}]
    found = automation.next_step(script, cursor, state)
    expected = script[cursor] if cursor < len(script) and script[cursor]["on"] == state else None
    assert (found and {"on": found.on, "do": found.do}) == expected


@pytest.mark.parametrize(
    ("rule", "script", "where"),
    [
        ("sometimes", [], "automation"),
        ("accept", [{"on": "REQUESTED", "do": "agree"}], "script"),
        ("scripted", [{"on": "REQUESTED", "do": "agree"}] * 21, "script"),
        ("scripted", ["agree"], "script[0]"),
        ("scripted", [{"on": "REQUESTED"}], "script[0]"),
        ("scripted", [{"on": "REQUESTED", "do": "agree", "when": 1}], "script[0]"),
        ("scripted", [{"on": "requested", "do": "agree"}], "script[0].on"),
        ("scripted", [{"on": "REQUESTED", "do": "verify"}], "script[0].do"),
        ("scripted", [{"on": "FINALIZED", "do": "terminate"}], "script[0].do"),
        ("scripted", [{"on": "REQUESTED", "do": "agree", "after": -1}], "script[0].after"),
        ("scripted", [{"on": "REQUESTED", "do": "agree", "after": 1e12}], "script[0].after"),
        ("scripted", [{"on": "REQUESTED", "do": "terminate", "reason": "x" * 501}], "script[0].reason"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_where_it_is_wrong(rule: str, script: list[Any], where: str) -> None:
    """Whoever writes a rule hears at once what of it does not work, and where."""
    with pytest.raises(InvalidInput) as caught:
        automation.read(rule, script, "negotiation", Role.PROVIDER)
    assert caught.value.where == where
