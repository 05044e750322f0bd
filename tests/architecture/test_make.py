"""The Makefile and the scripts behind it do what they say before anything is set up."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.project import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def make(*arguments: str, folder: Path, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    """Run make in `folder` with nothing but `path` in its environment."""
    command = [shutil.which("make") or "make", *arguments]
    return subprocess.run(command, cwd=folder, env={"PATH": path}, check=False, capture_output=True, text=True)


def bare(folder: Path) -> Path:
    """Return a copy of what a set-up needs, in which nothing is set up."""
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    return folder


def tools(folder: Path, *names: str) -> str:
    """Return a PATH that has only these programs."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name) or name)
    return str(folder)


@pytest.mark.parametrize("arguments", [(), ("help",)])
def test_help_needs_no_set_up(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """The first thing a newcomer types answers at once, and makes nothing."""
    said = make(*arguments, folder=bare(tmp_path))
    assert said.returncode == 0, said.stderr
    assert not (tmp_path / ".venv").exists()
    for target in ("setup", "demo", "chaos", "test", "check", "tck", "lock", "bench", "clean"):
        assert re.search(rf"^  {target} +\w", said.stdout, re.MULTILINE), target


def test_every_target_explains_itself() -> None:
    """A target that help leaves out is found by nobody."""
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert targets == set(re.findall(r"^([a-z]+):.*? ## \w", MAKEFILE, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert targets == set(phony.split())


def test_an_old_python_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Nobody learns of a wrong Python from a traceback ten minutes later."""
    path = tools(tmp_path / "bin", "sh", "cat", "cksum", "dirname", "rm")
    old = tmp_path / "bin" / "python3"
    old.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo 'Python 3.9.2' && exit 0\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    (tmp_path / "checkout").mkdir()
    said = make("setup", "SHELL=" + str(tmp_path / "bin" / "sh"), folder=bare(tmp_path / "checkout"), path=path)
    assert said.returncode != 0
    assert said.stderr.splitlines()[0] == "This project needs Python 3.11, 3.12 or 3.13; found: Python 3.9.2."
    assert "Traceback" not in said.stderr


def test_a_missing_python_is_said_too(tmp_path: Path) -> None:
    """Without any Python the sentence is the same."""
    path = tools(tmp_path / "bin", "sh", "cat", "cksum", "dirname", "rm")
    (tmp_path / "checkout").mkdir()
    said = make("setup", "SHELL=" + str(tmp_path / "bin" / "sh"), folder=bare(tmp_path / "checkout"), path=path)
    assert said.returncode != 0
    assert "found: none." in said.stderr


@pytest.mark.parametrize(("script", "shell"), [("setup", "sh"), ("run", "bash")])
def test_scripts_parse(script: str, shell: str) -> None:
    """A script that is rarely run still parses."""
    checked = subprocess.run([shell, "-n", ROOT / ".ci" / script], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_the_merge_check_swallows_nothing() -> None:
    """Every failing command of the merge check fails it."""
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    assert "|| true" not in text
    assert "make check" in text


def test_the_conformance_kit_runs_where_it_can() -> None:
    """A merge check with Java runs the kit and EDC; one without says that it did not, and tests need neither."""
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    without, _, both = text.partition("\nelse\n")
    assert both.partition("\nfi\n")[0].count("make tck") == both.partition("\nfi\n")[0].count("make edc") == 1
    assert "command -v java" in without
    assert "tests.conformance.java" in without
    assert without.count("the official conformance kit and Eclipse EDC were not run") == len(("Java", "Maven"))
    (recipe,) = re.findall(r"^test: .*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert "java" not in recipe
    assert "tck" not in recipe
