"""The demo as a newcomer runs it: what must be seen, the table, the end, and that nothing is left behind."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from connector.demo import cast
from connector.demo.acts import QUERY
from connector.demo.fleet import FIRST_PORT

pytestmark = pytest.mark.timeout(900)

SHOWN = (
    r"drafts a record from a GRIB2 file",
    r"drafts a record from a COG file",
    r"drafts a record from a NetCDF file",
    r"drafts a record from a SDMX-CSV file",
    r"format GRIB2",
    r"format GeoTIFF",
    r"format NetCDF-4",
    r"format SDMX-CSV 1\.0",
    r"SHACL: Dataset, title: not given\. To fix it: ",
    r"corrected: SHACL has no objection",
    r"bbox, from the file.s coordinate",
    r"published: Net electricity generation in Iowa.* of 405 points of quality",
    r"research-only: ",
    r"eu-only: ",
    r"counted: ",
    r"attribution: ",
    r"crawl: ",
    r"SPARQL: .* \(Climate centre\)",
    r"search: Air temperature",
    r"refused because: The purpose 'Marketing' is not allowed: the offer allows only 'Academic Research'",
    r"agreement signed by the Climate business: …\S{24}",
    r"agreement signed by the Weather service: …\S{24}",
    r"pulled 1188 bytes",
    r"pulled 589218 bytes",
    r"pulled 71491 bytes",
    r"pulled 2521 bytes",
    r"opened in xarray: mean air temperature 291\.59 K",
    r"opened in xarray: mean air temperature 273\.02 K",
    r"opened in rasterio: 3 bands of 485 x 373 pixels",
    r"opened in pandas: 51 observations, sum 864452",
    r"refused because: Use number 2 is not allowed",
    r"terminated: The licence was withdrawn\.",
    r"refused because: The agreement was terminated: The licence was withdrawn\.",
)
"""What a newcomer must see before the table, in this order within each group."""

ROW = re.compile(r"(?P<words>(?P<step>\d+) +.*\S) +(?P<ms>\d+) ms")


@dataclass
class Run:
    """One run of the command: its exit code, its lines, and its temporary folder."""

    folder: Path
    code: int = 0
    lines: list[str] = field(default_factory=list)
    errors: str = ""

    @property
    def before(self) -> list[str]:
        """The lines before the table."""
        return self.lines[: self._head]

    @property
    def rows(self) -> list[re.Match[str]]:
        """The rows of the table; a line that is none of them fails the test."""
        found = [ROW.fullmatch(line) for line in self.lines[self._head + 1 :]]
        assert all(found), self.lines[self._head :]
        return [row for row in found if row]

    @property
    def words(self) -> list[str]:
        """The table without its times, byte for byte."""
        return [re.sub(r"\d+ ms$", "", line) for line in self.lines[self._head :]]

    @property
    def _head(self) -> int:
        heads = [number for number, line in enumerate(self.lines) if line.split() == COLUMNS]
        assert len(heads) == 1, "\n".join(self.lines) + self.errors
        return heads[0]

    def left(self) -> list[psutil.Process]:
        """Return the processes that still have to do with the folder."""
        return [each for each in psutil.process_iter() if self._concerns(each)]

    def _concerns(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            if str(self.folder) in " ".join(process.cmdline()):
                return process.status() != psutil.STATUS_ZOMBIE
        return False

    def await_nothing_left(self) -> None:
        """Wait for what is ending, and fail when something stays."""
        _, alive = psutil.wait_procs(self.left(), timeout=30)
        assert alive == []
        assert self.left() == []


TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorials" / "demo.md"
COLUMNS = ["step", "who", "what", "result", "time"]


@pytest.fixture(scope="module")
def folders() -> Iterator[Any]:
    """Give a maker of temporary folders with short names: a socket's path has at most 107 characters."""
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="gd-")))
        made[-1].chmod(0o755)
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


def _start(
    folder: Path, *words: str, program: tuple[str, ...] = ("-P", "-m", "connector"), under: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    """Run the command elsewhere, with no more in its environment than where temporary files go."""
    return subprocess.Popen(
        [*under, sys.executable, *program, *words],
        cwd=folder,
        env={"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process: subprocess.Popen[str], folder: Path) -> Run:
    said, errors = process.communicate(timeout=600)
    return Run(folder, process.returncode, said.splitlines(), errors)


@pytest.fixture(scope="module")
def kept(folders: Any) -> Iterator[Run]:
    """Give a run that left its connectors running, with the first ports in use by somebody else."""
    with socket.socket() as busy:
        with suppress(OSError):  # taken by another run: just as busy
            busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            busy.bind(("127.0.0.1", FIRST_PORT))
            busy.listen()
        folder = folders()
        run = _finish(_start(folder, "demo", "--keep"), folder)
    yield run
    for process in run.left():
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_the_demo_shows_what_it_promises(kept: Run) -> None:
    """A newcomer sees each part of the main job happen, and the run succeeds."""
    assert kept.code == 0, kept.errors
    said = "\n".join(kept.before)
    missing = [each for each in SHOWN if not re.search(each, said)]
    assert missing == []
    assert not re.search(r"\b\d+ ?m?s\b", said), "times stand in the table only"
    assert "kill" not in said
    assert kept.errors == ""


def test_the_table_is_the_end(kept: Run) -> None:
    """The table has a row for each step, in order, each with its time, and nothing follows."""
    rows = kept.rows
    assert [int(row["step"]) for row in rows] == list(range(1, len(rows) + 1))
    announced = [line for line in kept.before if re.match(r"\d+\. ", line)]
    assert len(announced) == len(rows)
    words = "\n".join(row["words"] for row in rows)
    assert not re.search(r"urn:|:\d{4}|[0-9a-f]{8}-|https?:", words), "no ids, ports or addresses in the table"
    assert "refused: The purpose 'Marketing' is not allowed" in words
    assert words.count("agreement signed by both") == len(cast.PROVIDERS)


def test_the_page_about_the_demo_shows_this_table(kept: Run) -> None:
    """A reader who compares the page with what they see finds the same steps and the same figures."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "tutorials" / "demo.md").read_text(encoding="utf-8")
    table = [re.sub(r" +(?:time|\d+ ms)$", "", line) for line in kept.words]
    assert "\n".join(line.rstrip() for line in table) in page


def test_the_table_is_the_one_in_the_tutorial(kept: Run) -> None:
    """Who reads about the demo first sees later what was promised, word for word."""
    shown = re.search(r"```text\n(step .*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
    assert shown
    assert [line.removesuffix("time").rstrip() for line in kept.words] == shown[1].splitlines()


def test_what_is_kept_answers_to_everyone(kept: Run) -> None:
    """Each is named with its address on a line of its own, anyone may search and query there, and one line ends it."""
    addresses = dict(re.findall(r"^([A-Z][\w ]+?)  (http://127\.0\.0\.1:\d+)$", "\n".join(kept.before), re.MULTILINE))
    assert list(addresses) == [actor.name for actor in cast.CAST]
    assert f"http://127.0.0.1:{FIRST_PORT}" not in addresses.values()
    business = addresses[cast.BUSINESS.name]
    assert httpx2.get(f"{business}/search", params={"q": "temperature"}).json()["total"] == 2
    answer = httpx2.get(f"{business}/sparql", params={"query": QUERY}, timeout=60).json()
    assert len(answer["results"]["bindings"]) == len(cast.PROVIDERS)
    for provider in cast.PROVIDERS:
        assert httpx2.get(f"{addresses[provider.name]}/search").json()["total"] == 1
    assert httpx2.get(f"{business}/api/agreements").status_code == 401
    _ended(kept)


def _ended(kept: Run) -> None:
    """The line that says how to end everything is true, and leaves no process and no file."""
    (stop,) = [line.partition(": sh ")[2] for line in kept.before if ": sh " in line]
    assert len({each.ppid() for each in kept.left()}) == 1, "the demo itself is gone, the connectors are not"
    subprocess.run(["/bin/sh", stop], check=True, env={"PATH": os.defpath})
    kept.await_nothing_left()
    assert list(kept.folder.iterdir()) == []


@pytest.fixture(scope="module")
def chaotic(folders: Any) -> Run:
    """Give a run on PostgreSQL in which connectors were killed."""
    folder = folders()
    return _finish(_start(folder, "demo", "--chaos", "--seed", "7", "--db", "postgresql"), folder)


def test_chaos_ends_with_the_same_table(chaotic: Run, kept: Run) -> None:
    """Ten kills in the middle of work, on the other engine: the table is the same, byte for byte, but for the times."""
    assert chaotic.code == 0, chaotic.errors
    assert sum("kill" in line for line in chaotic.lines) == 10
    assert "Chaos with the seed 7" in chaotic.lines[0]
    assert chaotic.words == kept.words


def test_chaos_leaves_nothing_behind(chaotic: Run) -> None:
    """Neither a connector, nor what a killed one had started, nor the database server, nor a file stays."""
    chaotic.await_nothing_left()
    assert list(chaotic.folder.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_demo_that_is_stopped_ends_everything(folders: Any, how: signal.Signals) -> None:
    """Ctrl-C in the middle leaves no process and no file."""
    folder = folders()
    process = _start(folder, "demo")
    _await_connectors(process, folder)
    process.send_signal(how)
    run = _finish(process, folder)
    assert run.code == 130
    assert "Stopped" in run.errors
    assert "Traceback" not in run.errors
    run.await_nothing_left()
    assert list(folder.iterdir()) == []


def test_the_end_of_the_terminal_may_be_ignored(folders: Any) -> None:
    """Under nohup the demo plays on when its terminal is closed, and can be stopped all the same."""
    folder = folders()
    process = _start(folder, "demo", under=(shutil.which("nohup") or "nohup",))
    _await_connectors(process, folder)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGTERM)
    run = _finish(process, folder)
    assert run.code == 130
    run.await_nothing_left()


def test_a_demo_that_is_killed_leaves_no_orphans(folders: Any) -> None:
    """Even a demo that gets no chance to end anything leaves no process and no file."""
    folder = folders()
    process = _start(folder, "demo")
    _await_connectors(process, folder)
    process.kill()
    run = _finish(process, folder)
    run.await_nothing_left()
    assert list(folder.iterdir()) == []


def _await_connectors(process: subprocess.Popen[str], folder: Path) -> None:
    """Wait until the first connector is being served."""
    while not any("serve" in each.cmdline() for each in Run(folder).left()):
        assert process.poll() is None
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)


BROKEN = """
import sys
from connector.demo import fleet, story
whole = fleet.command
broken = [sys.executable, "-c", "import sys; sys.exit('the disk is full')"]
fleet.command = lambda *words: broken if words[0] == sys.argv[1] else whole(*words)
sys.exit(story.run())
"""


@pytest.mark.parametrize("word", ["init", "serve"])
def test_a_step_that_fails_says_so(folders: Any, word: str) -> None:
    """The message names the step and shows what the connector wrote last; the exit code is 1 and nothing stays."""
    folder = folders()
    run = _finish(_start(folder, word, program=("-P", "-c", BROKEN)), folder)
    assert run.code == 1
    assert f"greendeal {word}` " in run.errors
    assert "the disk is full" in run.errors
    assert "Traceback" not in run.errors
    assert not any(line.split() == COLUMNS for line in run.lines)
    run.await_nothing_left()
    assert list(folder.iterdir()) == []


def test_an_unknown_engine_is_refused_at_once(folders: Any) -> None:
    """A typing error costs nobody a minute."""
    run = _finish(_start(folder := folders(), "demo", "--db", "postgres"), folder)
    assert run.code == 1
    assert "sqlite or postgresql" in run.errors
