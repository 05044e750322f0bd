"""`greendeal dataset draft … -o jsonl`: the printed lines of the demo's files and of all files of the sample set."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import REFERENCES
from tests.formats import printed

HERE: Final = Path(__file__).parent
DEMO: Final = HERE.parents[1] / "connector" / "demo" / "data"
SHIPPED: Final[dict[str, Any]] = json.loads((HERE / "data" / "expected.json").read_text("utf-8"))
SAMPLES: Final = REFERENCES / "data"
LISTED: Final[dict[str, Any]] = json.loads((SAMPLES / "expected.json").read_text("utf-8")) if SAMPLES.is_dir() else {}
EXPECTED: Final = {name: wanted for name, wanted in LISTED.items() if printed.known(SAMPLES / name)}


def drafts(folder: Path, *names: str) -> tuple[list[dict[str, Any]], int]:
    """Return the lines that the command prints for files of a folder, and its exit code."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GREENDEAL_")}
    done = subprocess.run(
        [sys.executable, "-m", "connector", "dataset", "draft", *names, "-o", "jsonl"],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode


@pytest.fixture(scope="module")
def samples() -> dict[str, dict[str, Any]]:
    """Draft the whole sample set by one command."""
    lines, _ = drafts(SAMPLES, *EXPECTED)
    assert [line["file"] for line in lines] == list(EXPECTED), "every file has its line, in the order given"
    return {line["file"]: line for line in lines}


def test_the_demo_files_are_drafted_as_expected() -> None:
    """One line for each file in the order given, each fact as a second program found it; exit code 0."""
    lines, code = drafts(DEMO, *SHIPPED)
    assert [line["file"] for line in lines] == list(SHIPPED)
    assert [wrong for line in lines for wrong in printed.mistakes(line, SHIPPED[line["file"]])] == []
    assert code == 0


@pytest.mark.skipif(not EXPECTED, reason="The references do not lie beside the checkout.")
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_sample_is_drafted_as_expected(name: str, samples: dict[str, dict[str, Any]]) -> None:
    """Box, period, variables, reference system, rows and dimensions are printed as other programs found them."""
    assert printed.mistakes(samples[name], EXPECTED[name]) == []


@pytest.mark.skipif(not LISTED, reason="The references do not lie beside the checkout.")
def test_no_sample_is_passed_over() -> None:
    """Every file and store of the sample set is of a format that is read."""
    assert sorted(EXPECTED) == sorted(LISTED)


def test_files_that_cannot_be_read_do_not_end_the_run(tmp_path: Path) -> None:
    """Each has its line with what, where and how to fix it; the others still come, in order; exit code 3."""
    good = DEMO / "MLO_CO2_monthly.sdmx2.csv"
    (tmp_path / "diary.txt").write_text("Dear diary,")
    (tmp_path / "torn.nc").write_bytes((DEMO / "ncep_air_temperature_small.nc").read_bytes()[:20_000])
    lines, code = drafts(tmp_path, "diary.txt", str(good), "nothing.nc", "torn.nc", "*.tif")
    assert code == 3
    assert [line["file"] for line in lines] == ["diary.txt", str(good), "nothing.nc", "torn.nc", "*.tif"]
    assert [set(line) == {"file", "error"} for line in lines] == [True, False, True, True, True]
    for line in lines:
        if "error" in line:
            assert set(line["error"]) == {"what", "where", "fix"}
            assert all(line["error"].values()), line
    assert "Supported formats" in lines[0]["error"]["fix"]


def test_a_folder_is_a_series_and_each_asks_for_its_files(tmp_path: Path) -> None:
    """A folder and a quoted pattern are one line, with what their files cover together; `--each` prints one a file."""
    for name in ("a.csv", "b.csv"):
        years = range(2000, 2003) if name == "a.csv" else range(2003, 2006)
        rows = "".join(f"A:B(1.0),A,{year},1\n" for year in years)
        (tmp_path / name).write_text("DATAFLOW,FREQ,TIME_PERIOD,OBS_VALUE\n" + rows)
    (tmp_path / "README.txt").write_text("About these files.")
    for named in (str(tmp_path), "*.csv"):
        ((line,), code) = drafts(tmp_path, named)
        assert (code, line["kind"], line["rows"]) == (0, "series", 6)
        assert line["temporal"] == {"start": "2000", "end": "2005"}
        assert line["byteSize"] == sum((tmp_path / each).stat().st_size for each in ("a.csv", "b.csv"))
        assert "The series has 2 files." in line["warnings"]
        assert any("README.txt is not a part of it" in each for each in line["warnings"]) == (named == str(tmp_path))
    lines, code = drafts(tmp_path, "--each", "*.csv")
    assert [(line["file"], line["kind"]) for line in lines] == [("a.csv", "dataset"), ("b.csv", "dataset")]
    turtle = subprocess.run(
        [sys.executable, "-m", "connector", "dataset", "draft", "*.csv", "-o", "turtle"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(HERE.parents[1])}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert turtle.stdout.count("a dcat:DatasetSeries") == 1
    assert turtle.stdout.count("dcat:inSeries") == 2


def test_progress_is_said_when_it_is_asked_for() -> None:
    """Files done of all, on standard error, so that the lines can be piped."""
    done = subprocess.run(
        [sys.executable, "-m", "connector", "dataset", "draft", *sorted(SHIPPED)[:2], "--progress"],
        cwd=DEMO, env=os.environ | {"PYTHONPATH": str(HERE.parents[1])}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 2
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["1/2", "2/2"]


def test_an_interrupt_ends_the_run_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    """Whoever stops the command does not wait for a long file, and no folder of ours stays."""
    (tmp_path / "tmp").mkdir()
    with (tmp_path / "long.csv").open("w") as out:
        out.write("DATAFLOW,FREQ,TIME_PERIOD,OBS_VALUE\n" + "A:B(1.0),A,2020,1\n" * 20_000_000)
    with subprocess.Popen(
        [sys.executable, "-m", "connector", "dataset", "draft", str(tmp_path / "long.csv"), "--progress"],
        env=os.environ | {"PYTHONPATH": str(HERE.parents[1]), "TMPDIR": str(tmp_path / "tmp")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as run:  # fmt: skip
        assert run.stderr is not None
        assert "of 343 MiB" in run.stderr.readline()
        run.send_signal(signal.SIGINT)
        printed, _ = run.communicate(timeout=20)
    assert printed == ""
    assert run.returncode != 0
    assert list((tmp_path / "tmp").iterdir()) == []
