"""What is built is what is in the checkout: a user of the wheel misses nothing."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.project import ROOT, files, named

SHELVES = ("vocab/", "shapes/", "policies/")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and return it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    built = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_everything_is_inside(wheel: Path) -> None:
    """Code, templates, migrations, sample files, and the folders beside the code."""
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith("connector/")}
    names = [named(path) for path in files()]
    ours = {name for name in names if name.startswith("connector/")}
    ours |= {f"connector/{name}" for name in names if name.startswith(SHELVES)}
    assert ours - inside == set()
    assert {name for name in inside - ours if "__pycache__" in name or name.startswith("connector/tests")} == set()


def test_shelves_are_found_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    """An installed connector reads its shapes and policies from inside the package, with no checkout around it."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import connector; from connector import library;"
        "library.read('shapes', 'dcat-ap/profile.toml'); library.read('policies', 'manifest.toml');"
        "library.read('vocab', 'manifest.toml'); print(connector.__file__)"
    )
    # -S: only what was unpacked is on the path, not the checkout that this environment has installed.
    ran = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert Path(ran.stdout.strip()).is_relative_to(tmp_path)
