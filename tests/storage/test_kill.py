"""A process that is killed in the middle of everything loses nothing it acknowledged and does nothing by halves."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from connector.storage.ledger import verify
from connector.storage.tables import Dataset, Evidence, OutboxRow, UsedToken
from connector.storage.work import Database
from tests.fixtures import NewUrl
from tests.storage import killed
from tests.storage.killed import LISTENERS, OURS

ROUNDS = 8


@contextmanager
def nursery(url: str, acknowledged: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the program that bears children to be killed."""
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "tests.storage.killed", url, str(acknowledged)]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def kill_in_the_middle(process: subprocess.Popen[str], acknowledged: Path, chance: random.Random) -> None:
    """Let a child work until it acknowledged something more, and kill it at some moment after that."""
    before = acknowledged.stat().st_size
    assert process.stdin
    assert process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    while acknowledged.stat().st_size == before:
        time.sleep(0.002)
    time.sleep(chance.uniform(0.0, 0.1))
    os.kill(child, signal.SIGKILL)


def assert_nothing_is_lost_or_halved(database: Database, acknowledged: Path) -> int:
    """Require that each act is there as a whole, and each event in the outbox or heard; return how many acts."""
    with database.read(OURS) as work:
        acts = {int(row.id) for row in work.select(Dataset)}
        evidence = Counter(int(row.message_id or -1) for row in work.select(Evidence))
        waiting = Counter((row.subscriber, row.body.get("number")) for row in work.select(OutboxRow))
        heard = {(row.issuer, int(row.jti)) for row in work.select(UsedToken)}
    said = {int(line) for line in acknowledged.read_text().splitlines() if line}
    assert said <= acts, "acknowledged and lost"
    assert evidence == Counter(acts), "an act without its evidence, or evidence twice"
    events = {(name, number) for name in LISTENERS for number in acts}
    announced = {key for key in waiting if key[0] in LISTENERS}
    assert announced | heard == events, "an event neither waiting nor heard, or of no act"
    assert all(waiting[key] == 1 for key in announced), "an event twice"
    return len(acts)


def test_kill_9_loses_nothing_and_doubles_nothing(new_url: NewUrl, tmp_path: Path) -> None:
    """Killed over and over between and inside its transactions, the process leaves rows, evidence and events whole.

    When the last one may finish, every event was heard and the whole chain of evidence is sealed and sound.
    """
    acknowledged = tmp_path / "acknowledged"
    acknowledged.touch()
    url = new_url()
    chance = random.Random(20260301)  # noqa: S311 - moments to kill at
    database = killed.open_database(url)
    with nursery(url, acknowledged) as process:
        for _ in range(ROUNDS):
            kill_in_the_middle(process, acknowledged, chance)
            acts = assert_nothing_is_lost_or_halved(database, acknowledged)
            report = verify(database, OURS, check=lambda head, signature: killed.sign(head) == signature)
            assert report.ok, report.reason
            assert report.count + report.unsealed == acts

    def later() -> timedelta:
        return timedelta(hours=1)  # every lease of the dead is over

    asyncio.run(killed.open_outbox(database, lambda: killed.now() + later()).drain())
    assert assert_nothing_is_lost_or_halved(database, acknowledged) == acts >= ROUNDS
    with database.read(OURS) as work:
        assert work.select(OutboxRow) == []
        assert work.count(UsedToken) == acts * len(LISTENERS)
    report = verify(database, OURS)
    assert (report.ok, report.count, report.unsealed) == (True, acts, 0)
    database.close()
