"""The demo: five connectors, each a process of its own, play the acts in order and are looked over at the end."""

import random
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from difflib import unified_diff
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Final, Literal

from connector.demo import postgresql
from connector.demo.acts import Acts, Step
from connector.demo.audit import audit
from connector.demo.cast import CAST, Actor
from connector.demo.chaos import KILLS, Chaos
from connector.demo.fleet import Failed, Fleet, Guard
from connector.demo.stage import Stage, lines
from connector.errors import InvalidInput, Refusal

NEEDED: Final = ("litestar", "pyoxigraph", "netCDF4", "eccodes", "cfgrib", "rasterio", "pandas", "xarray")
"""What the connectors and the opening of files need beyond the bare package."""

STOPPED: Final = 130
SEEDS: Final = 1_000_000
SAME: Final = "the same table"


@dataclass(frozen=True, slots=True)
class Plan:
    """How one run goes."""

    keep: bool
    db: Literal["sqlite", "postgresql"]
    seed: int | None
    """Decides where chaos strikes; None for a run without."""


def run(
    *, keep: bool = False, chaos: bool = False, db: str = "sqlite", seed: int | None = None, runs: int | None = None
) -> int:
    """Play the demo and return the exit code: 0 when every step did what it had to do.

    Args:
        keep: leave the connectors running.
        chaos: kill a connector in the middle of each of ten random steps.
        db: `sqlite` or `postgresql`.
        seed: decides where chaos strikes; drawn, when there is none.
        runs: how often; each run prints a line and is compared with a first one without chaos.
    """
    try:
        with _stopped_by_signals():
            plan = _plan(keep=keep, chaos=chaos, db=db, seed=seed)
            if runs is not None:
                return _repeat(plan, runs)
            stage = Stage()
            _play(stage, plan)
    except Refusal as refusal:
        sys.stderr.write(f"\nThe demo failed: {refusal}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped; nothing is left behind.\n")
        return STOPPED
    stage.table()
    return 0


def _plan(*, keep: bool, chaos: bool, db: str, seed: int | None) -> Plan:
    """Check what was asked for, and what is installed.

    Raises:
        InvalidInput: there is no such database engine.
        Failed: something is missing.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise Failed(
            f"The demo needs {', '.join(missing)}.", fix="Install everything: pip install 'greendeal-connector[all]'"
        )
    match db:
        case "sqlite" | "postgresql":
            drawn = random.SystemRandom().randrange(SEEDS) if seed is None else seed
            return Plan(keep=keep, db=db, seed=drawn if chaos else None)
    raise InvalidInput(f"There is no database engine {db!r}.", where="--db", fix="Choose sqlite or postgresql.")


def _repeat(plan: Plan, runs: int) -> int:
    """Play several times, tell in a line how each went, and count those that ended with the same table."""
    expected = Stage(_unsaid)
    _play(expected, replace(plan, keep=False, seed=None))
    _write("first run, without chaos: every step done")
    same = 0
    for number in range(1, runs + 1):
        one = replace(plan, keep=False, seed=None if plan.seed is None else plan.seed + number - 1)
        begun = time.monotonic()
        outcome = _compared(one, list(lines(expected.rows, timed=False)))
        same += outcome == SAME
        mark = "" if one.seed is None else f", seed {one.seed}, {KILLS} kills"
        _write(f"run {number} of {runs}{mark}: {outcome}, {time.monotonic() - begun:.0f} s")
    _write(f"{same} of {runs} runs ended with the same table.")
    return 0 if same == runs else 1


def _compared(plan: Plan, expected: list[str]) -> str:
    """Play once and tell how it ended; what was said on the way is shown only if that is not the same table."""
    said: list[str] = []
    stage = Stage(said.append)
    try:
        _play(stage, plan)
    except Refusal as refusal:
        _write("".join(said) + str(refusal))
        return "failed"
    found = list(lines(stage.rows, timed=False))
    if found == expected:
        return SAME
    _write("".join(said) + "\n".join(unified_diff(expected, found, "expected", "found", lineterm="")))
    return "another table"


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _unsaid(_: str) -> None:
    """Say nothing."""


def _play(stage: Stage, plan: Plan) -> None:
    """Play once; whatever happens, nothing is left behind unless it is to be kept."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="greendeal-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        guard = Guard(folder)
        stack.callback(guard.dismiss)
        server = postgresql.start(guard) if plan.db == "postgresql" else None
        databases = {}
        if server is not None:
            stack.callback(server.stop)
            databases = server.databases(actor.participant for actor in CAST)
        fleet = Fleet(folder, guard, databases)
        stack.callback(fleet.end)
        _perform(stage, fleet, plan)
        if plan.keep:
            _leave(stage, fleet, server)
            stack.pop_all()
            guard.keep()


def _perform(stage: Stage, fleet: Fleet, plan: Plan) -> None:
    """Let the connectors start, play every step, and look them over."""
    (fleet.folder / "pulled").mkdir()
    steps = Acts(fleet, stage, fleet.folder / "pulled").steps()
    opening = Step("All five", "greendeal init, greendeal serve", lambda: _start(stage, fleet), 10.0, CAST)
    closing = Step(
        "All five", "nothing lost, nothing twice, nothing stuck", lambda: _look_over(stage, fleet), 1.0, CAST
    )
    chaos = None
    if plan.seed is not None:
        stage.say(
            f"Chaos with the seed {plan.seed}: {KILLS} times a connector is ended by force in the middle of a step."
        )
        chaos = Chaos(plan.seed, len(steps), CAST, _killer(stage, fleet))
    for step in (opening, *steps, closing):
        disturbed = chaos.during(step.what, step.seconds, step.involved) if chaos and step in steps else nullcontext()
        with _explained(fleet, step), stage.step(step.who, step.what) as result, disturbed:
            result.append(step.act())
    if chaos and chaos.done != KILLS:
        raise Failed(f"Chaos struck {chaos.done} times instead of {KILLS}.")


def _killer(stage: Stage, fleet: Fleet) -> Callable[[Actor, str], None]:
    def kill(actor: Actor, what: str) -> None:
        stage.say(f"kill -9 {actor.name}, in the middle of: {what}", indent=2)
        fleet.kill(fleet[actor])

    return kill


def _start(stage: Stage, fleet: Fleet) -> str:
    fleet.start(CAST)
    for actor in CAST:
        stage.say(f"{actor.name} runs as {actor.participant}, with its own folder, key and port.")
    return "five processes, each with its own folder, key and port"


def _look_over(stage: Stage, fleet: Fleet) -> str:
    audit(fleet)
    for actor in CAST:
        stage.say(f"{actor.name}: the ledger holds, nothing waits, both sides agree.")
    return "five ledgers hold, both sides of every process agree"


@contextmanager
def _explained(fleet: Fleet, step: Step) -> Iterator[None]:
    """Say of a failure in which step it was, and show what the connectors concerned wrote last."""
    try:
        yield
        if fallen := fleet.fallen():
            raise Failed("A connector ended by itself.", of=[each.actor.participant for each in fallen])
    except (Refusal, OSError) as error:
        named = [*(each.actor.participant for each in fleet.fallen()), *(error.of if isinstance(error, Failed) else ())]
        of = dict.fromkeys(named or [actor.participant for actor in step.involved])
        members = [fleet.members[each] for each in of if each in fleet.members]
        tails = [f"The end of the log of {each.actor.name}:\n{each.tail()}" for each in members]
        raise Failed("\n\n".join([f"{step.who} {step.what}: {error}", *tails])) from error


STOP: Final = """\
# Ends what the demo left running. A process that is no longer the demo's is left alone.
for number in {numbers}; do
  case "$(tr '\\000' ' ' 2>/dev/null </proc/$number/cmdline)" in {patterns}) kill "$number" ;; esac
done
sleep 2
rm -rf {folders}
"""


def _leave(stage: Stage, fleet: Fleet, server: postgresql.Server | None) -> None:
    """Leave everything running, and say where it is and how it is ended."""
    fleet.release()
    numbers, folders = fleet.numbers(), [shlex.quote(str(fleet.folder))]
    if server is not None:
        server.keep()
        numbers, folders = [*numbers, server.number], [*folders, shlex.quote(str(server.folder))]
    patterns = " | ".join(f"*{folder}/*" for folder in folders)
    stop = fleet.folder / "stop"
    text = STOP.format(numbers=" ".join(map(str, numbers)), patterns=patterns, folders=" ".join(folders))
    stop.write_text(text, encoding="utf-8")
    stage.say("They go on running, /search and /sparql open to everyone:", indent=0)
    for actor in CAST:
        stage.say(f"{actor.name}  {fleet[actor].url}", indent=0)
    stage.say(f"They are ended by: sh {stop}", indent=0)


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let a request to end be what Ctrl-C is, so that everything is ended in order."""

    def stop(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Who ignores the end of the terminal, as under nohup, means it.
    heeded = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
