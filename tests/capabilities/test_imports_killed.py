"""An import under kill -9: whatever moment the process dies at, each record is registered once and has one result."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NoReturn

from connector.standards import rdf
from connector.standards.dcat import graph
from connector.storage.tables import Evidence, Import, ImportResult, Version
from connector.storage.work import Database
from tests.capabilities.importing import US
from tests.capabilities.test_imports import records
from tests.fixtures import NewUrl

RECORDS = 240
ROUNDS = 4
PATIENCE = 120
"""Seconds after which a process that gets nowhere is a failure."""


def begun(url: str, folder: Path, file: Path) -> subprocess.Popen[str]:
    """Start the program."""
    command = [sys.executable, "-m", "tests.capabilities.importing", url, str(folder), str(file)]
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)


def done(database: Database) -> int:
    """Return how many records have a result."""
    with database.read(US) as work:
        return sum(row.done for row in work.select(Import))


def test_kill_9_loses_no_record_and_doubles_none(new_url: NewUrl, tmp_path: Path) -> None:
    """Killed over and over in the middle, the import ends with every record once: version, evidence and result."""
    url, folder, file = new_url(), tmp_path / "house", tmp_path / "dump.nt"
    folder.mkdir()
    found = records(RECORDS, "kill")
    triples = [each for record in found for each in graph.write(record)]
    file.write_bytes(rdf.serialise(triples, rdf.Format.N_TRIPLES))
    chance = random.Random(20260301)  # noqa: S311 - moments to kill at
    database = Database(url, {}, _nobody, _nobody, flush=False)
    database.upgrade()
    killed = 0
    for _ in range(ROUNDS):
        before, end = done(database), time.monotonic() + PATIENCE
        with begun(url, folder, file) as process:
            while done(database) == before and process.poll() is None and time.monotonic() < end:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.2))
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
    assert killed >= 1
    with begun(url, folder, file) as process:
        said, _ = process.communicate(timeout=PATIENCE)
    assert said == "done\n"
    keys = Counter(record.id for record in found)
    with database.read(US) as work:
        assert Counter(row.dataset for row in work.select(Version)) == keys
        published = [row for row in work.select(Evidence) if row.kind == "dataset.published"]
        assert Counter(row.subject for row in published) == keys
        results = work.select(ImportResult)
        assert sorted(row.number for row in results) == list(range(1, RECORDS + 1))
        assert {row.outcome for row in results} == {"created"}
        (run,) = work.select(Import)
        assert (run.state, run.counts) == ("done", {"created": RECORDS})
    assert not list((folder / "imports").iterdir())
    database.close()


def _nobody() -> NoReturn:
    raise AssertionError("This test writes nothing itself.")
