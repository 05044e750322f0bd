"""Imports go down only, and the contracts that say so have no holes."""

import subprocess
import sys
import tomllib
from typing import Any

import pytest

from tests.architecture.project import ROOT

LINTER = "import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())"
"""The command `lint-imports`, from the interpreter that runs the tests."""


def contracts(kind: str = "") -> list[dict[str, Any]]:
    """Return the import contracts of the project file, those of one `kind` if it is given."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [each for each in project["tool"]["importlinter"]["contracts"] if kind in each["type"]]


def test_imports_go_down_only() -> None:
    """A module that reaches up, sideways or out of its floor is found before it is merged."""
    command = [sys.executable, "-c", LINTER, "--no-cache"]
    checked = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(contracts())} kept, 0 broken" in checked.stdout


@pytest.mark.parametrize("contract", contracts(), ids=lambda contract: contract["id"])
def test_no_contract_has_an_exception(contract: dict[str, Any]) -> None:
    """An import that is let through once is let through for good."""
    assert not {"ignore_imports", "unmatched_ignore_imports_alerting", "skip_descendants"} & contract.keys()


@pytest.mark.parametrize("contract", contracts("layers"), ids=lambda each: each["id"])
def test_layers_name_every_module(contract: dict[str, Any]) -> None:
    """A new module is given its floor when it is written, not when it is in the way."""
    assert contract["exhaustive"] is True
    assert "exhaustive_ignores" not in contract


def test_the_sdk_is_kept_off_every_server_floor() -> None:
    """A new folder of server code is forbidden to the SDK from its first day."""
    (contract,) = (each for each in contracts("forbidden") if each["id"] == "client")
    may = {"connector.client", "connector.errors", "connector.library", "connector.standards"}
    above = {"connector.__init__", "connector.__main__", "connector.cli", "connector.demo"}
    floors = {f"connector.{path.stem}" for path in (ROOT / "connector").glob("*.py")}
    floors |= {f"connector.{path.parent.name}" for path in (ROOT / "connector").glob("*/__init__.py")}
    assert floors - may - above <= set(contract["forbidden_modules"])


def test_contracts_stand_in_one_place() -> None:
    """A second configuration file would be read instead of this one."""
    assert not [name for name in (".importlinter", "setup.cfg", "importlinter.ini") if (ROOT / name).exists()]
