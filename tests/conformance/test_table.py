"""The table of cases, and how a run of the kit is judged and recorded."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.standards.dsp import automation
from tests.conformance import recorded
from tests.conformance.cases import ACTIVE, CASES, DISABLED, KIT, Case
from tests.conformance.kit import run
from tests.conformance.recorded import Result

PASSED = [f"{id_}\tpass\t\n" for id_ in ACTIVE]
SKIPPED = [f"{id_}\tskip\tpublic void {id_} is @Disabled\n" for id_ in DISABLED]


def test_the_kit_has_as_many_cases() -> None:
    """A case that falls out of the table would no longer be missed in a run."""
    assert (len(CASES), len(ACTIVE), len({case.id for case in CASES})) == (67, 65, 67)
    groups = [case.group for case in CASES if case.id in ACTIVE]
    assert {group: groups.count(group) for group in dict.fromkeys(groups)} == {
        "MET": 1, "CAT": 3, "CN": 15, "CN_C": 16, "TP": 15, "TP_C": 15,
    }  # fmt: skip


@pytest.mark.parametrize("case", [case for case in CASES if case.talk], ids=lambda case: case.name)
def test_every_conversation_is_one(case: Case) -> None:
    """A case goes by the protocol's own table, and what it refuses is what the table refuses."""
    assert {step.how for step in case.steps} <= {"<", ">", "x"}
    assert case.steps[0] == ((">" if case.role == "consumer" else "<"), "request")
    states = [None, *case.states()]
    for before, step in zip(states, case.steps, strict=False):
        moves = case.machine.NEXT[before]
        legal = step.move in moves and case.role.other in case.machine.SENDERS[case.machine.Move(step.move)]
        assert step.how != "x" or not legal


@pytest.mark.parametrize("case", [case for case in CASES if case.talk], ids=lambda case: case.name)
def test_every_script_is_one_of_the_product(case: Case) -> None:
    """The connector under test does nothing that an operator could not have it do."""
    process: automation.Process = "transfer" if case.group.startswith("TP") else "negotiation"
    script = case.script(0.2)
    assert automation.read("scripted", script, process, case.role) == script
    own = [step.move for step in case.steps if step.how == ">"]
    assert [step["do"] for step in script] == (own[1:] if case.role == "consumer" else own)


def verdicts(lines: list[str]) -> dict[str, str]:
    """Return how a whole run with these lines is judged."""
    return {result.id: result.verdict for result in run.checked(lines, ACTIVE)}


def test_a_run_counts_when_every_case_passed() -> None:
    """The two cases that the kit leaves out are neither passed nor failed."""
    found = verdicts([*PASSED, *SKIPPED])
    assert found == dict.fromkeys(ACTIVE, "pass") | dict.fromkeys(DISABLED, "skip")


@given(st.permutations(PASSED), st.integers(0, len(PASSED)))
def test_what_did_not_run_has_failed(lines: list[str], told: int) -> None:
    """A kit that breaks off, or is killed, has not passed the rest."""
    found = verdicts(lines[:told])
    assert sorted(found) == sorted(ACTIVE)
    assert [verdict for verdict in found.values() if verdict == "pass"] == ["pass"] * told


@pytest.mark.parametrize("verdict", ["fail", "skip"])
def test_only_a_pass_is_a_pass(verdict: str) -> None:
    """A case that the kit failed, or unexpectedly left out, fails the run with the kit's reason."""
    lines = [f"{ACTIVE[0]}\t{verdict}\tAssertionError: no\n", *PASSED[1:]]
    first, *_ = run.checked(lines, ACTIVE)
    assert (first.id, first.verdict, first.reason) == (ACTIVE[0], "fail", "AssertionError: no")


def test_a_case_that_is_not_in_the_table_has_failed() -> None:
    """A newer kit is not passed by way of cases that nobody has looked at."""
    assert verdicts(["CN:09-01\tpass\t\n", *PASSED])["CN:09-01"] == "fail"


def test_a_case_told_twice_counts_once() -> None:
    """The sum is of cases, not of lines; a second outcome of a case is a fault of the run."""
    found = [result.verdict for result in run.checked([PASSED[0], PASSED[0], *PASSED[1:]], ACTIVE)]
    assert (found.count("pass"), found.count("fail")) == (65, 1)


def test_no_case_begins_so() -> None:
    """A mistyped beginning is not a run without failures."""
    assert run.main(["CN_D:"]) == 2


words = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1)


@given(st.lists(st.builds(Result, words, st.sampled_from(recorded.VERDICTS), words, words | st.just("")), max_size=5))
def test_what_is_recorded_is_read(tmp_path_factory: pytest.TempPathFactory, results: list[Result]) -> None:
    """The page of results says what the run found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded, "FOLDER", tmp_path_factory.mktemp("recorded"))
        results = [result for result in results if not result.id.startswith("#")]
        recorded.write("x", "Something", results)
        assert recorded.read("x") == ("Something", results)


@pytest.mark.parametrize("line", ["CN:01-01", "CN:01-01\tpass", "CN:01-01\tPASS\tshows", "a\tpass\tb\tc\td"])
def test_what_is_no_result_is_refused(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was edited by hand is not half read."""
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    (tmp_path / "x.txt").write_text(f"Something\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="is no result"):
        recorded.read("x")


def test_the_recorded_run_is_of_this_table() -> None:
    """The page shows a run of the whole kit, of the version that the pom names, in which nothing failed."""
    other, results = recorded.read("tck")
    assert other == KIT
    assert KIT.rpartition(" ")[2] in (run.HERE / "pom.xml").read_text(encoding="utf-8")
    assert [(result.id, result.shows) for result in results] == [(case.id, case.shows) for case in CASES]
    assert {result.id for result in results if result.verdict != "pass"} == DISABLED
