"""The cases of the official kit, by their ids, without it: the ones that it leaves out too.

The tests with a process in them are made from the table of cases: `test_cn_01_01` plays `CN:01-01`.
"""

from collections.abc import Callable
from typing import Any

import httpx2

from connector.standards.dsp.versions import WELL_KNOWN
from tests.conformance.cases import CASES, GIVEN, MISSING, NAMES, Case, offer_of
from tests.conformance.conftest import World
from tests.conformance.counterparty import checked


def _conversation(case: Case) -> Callable[[World], None]:
    def test(world: World) -> None:
        talk = world.counterparty.play(case)
        world.still(talk.theirs)
        assert talk.heard.empty(), "the connector said more than it should"
        assert not talk.faults
        world.counterparty.look(talk, case.states()[-1])

    test.__name__ = test.__qualname__ = f"test_{case.name}"
    test.__doc__ = case.shows
    return test


for each in CASES:
    if each.talk:
        globals()[f"test_{each.name}"] = _conversation(each)


def test_met_01_01(world: World) -> None:
    """The version document is open to everyone, and its path leads to the endpoints."""
    answer = httpx2.get(world.url + WELL_KNOWN)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    (ours,) = [found for found in answer.json()["protocolVersions"] if found["version"] == "2025-1"]
    assert world.url + ours["path"] == world.counterparty.address
    assert ours["binding"] == "HTTPS"


def test_cat_01_01(world: World) -> None:
    """The catalog has the dataset, on one of its pages, with the offer that can be asked for."""
    client, address = world.counterparty.client, f"{world.counterparty.address}/catalog/request"
    asked = {"@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": "CatalogRequestMessage"}
    found: dict[str, Any] = {}
    while address:
        answer = client.post(address, json=asked)
        assert answer.status_code == 200, answer.text
        page = checked(answer.content, "Catalog")
        found |= {dataset["@id"]: dataset for dataset in page["dataset"]}
        address = answer.links.get("next", {}).get("url", "")
    assert [offer["@id"] for offer in found[f"{NAMES}CAT0101"]["hasPolicy"]] == [offer_of(f"{NAMES}CAT0101")]
    assert {case.seed for case in CASES if case.group == "CN" and case.seed != GIVEN} <= found.keys()
    assert MISSING not in found


def test_cat_01_02(world: World) -> None:
    """A dataset is found by its id alone."""
    answer = world.counterparty.client.get(f"{world.counterparty.address}/catalog/datasets/{NAMES}CAT0102")
    assert answer.status_code == 200, answer.text
    assert checked(answer.content, "Dataset")["@id"] == f"{NAMES}CAT0102"


def test_cat_01_03(world: World) -> None:
    """An unknown dataset is answered with the protocol's own error."""
    answer = world.counterparty.client.get(f"{world.counterparty.address}/catalog/datasets/{MISSING}")
    assert answer.status_code == 404
    checked(answer.content, "CatalogError")


def test_every_case_of_the_kit_is_here() -> None:
    """A case that nobody plays would be missed by nobody."""
    assert {f"test_{case.name}" for case in CASES} <= globals().keys()
    assert len({case.name for case in CASES}) == 67
