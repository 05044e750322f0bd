"""What the test connector has beyond the product stays out of the product."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from connector import settings
from connector.capabilities.identity import SignedTokens, installed
from connector.errors import InvalidInput
from tests.architecture.project import ROOT, modules, named, tree
from tests.conformance.conftest import World
from tests.conformance.under_test import AUTHORIZATION, NEGOTIATE, PARTICIPANT, TRANSFER
from tests.running import Running, running

SAID = {"Authorization": AUTHORIZATION}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Serve a connector that is composed as `greendeal serve` composes it."""
    with running(tmp_path_factory.mktemp("product"), PARTICIPANT, "The product") as served:
        yield served


def test_the_distribution_has_no_tests() -> None:
    """What is not installed cannot be switched on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "tests" not in project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert not project["project"].get("entry-points")


def test_the_product_imports_no_tests() -> None:
    """No module of the product leads to the tests, under whatever condition."""
    for path in modules("connector"):
        for node in ast.walk(tree(path)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if name.split(".")[0] == "tests"], named(path)
        assert "tests.conformance" not in path.read_text(encoding="utf-8"), named(path)


@pytest.mark.parametrize("part", ["conformance", "tck", "identity", "seeds"])
def test_no_setting_leads_there(part: str, tmp_path: Path) -> None:
    """An operator who tries to configure it is told that there is no such thing."""
    tree_ = {"participant": PARTICIPANT, "name": "A house", part: {"authorization": AUTHORIZATION}}
    with pytest.raises(InvalidInput, match=f"There is no setting '{part}'"):
        settings.check(tree_, tmp_path, "connector.toml")


def test_the_product_knows_signed_tokens_alone() -> None:
    """A header that everybody knows proves nothing to a connector that is not under test."""
    assert [type(each) for each in installed()] == [SignedTokens]


@pytest.mark.parametrize("path", [NEGOTIATE, TRANSFER])
def test_the_product_has_no_triggers(product: Running, path: str) -> None:
    """Nobody makes a connector act as consumer from outside, whatever header is shown."""
    asked = {"providerId": "x", "offerId": "x", "datasetId": "x", "agreementId": "x", "connectorAddress": "x"}
    answer = httpx2.post(product.url + path, json=asked, headers=SAID)
    assert answer.status_code in {404, 405}


def test_the_product_does_not_take_the_header(product: Running) -> None:
    """The door of the protocol stays shut."""
    answer = httpx2.get(f"{product.address}/negotiations/urn:uuid:none", headers=SAID)
    assert answer.status_code == 401


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer other"}])
def test_the_connector_under_test_takes_no_other(world: World, headers: dict[str, str]) -> None:
    """The connector under test still asks who is speaking: the kit passes because it shows the header."""
    assert httpx2.get(f"{world.counterparty.address}/negotiations/urn:uuid:none", headers=headers).status_code == 401
    assert httpx2.post(world.url + NEGOTIATE, json={}, headers=headers).status_code == 401
