"""EDC as consumer of our data: it asks for our catalog, negotiates, starts a transfer and pulls the bytes."""

from pathlib import Path
from typing import Any, Final

from connector import demo
from tests.conformance.edc.peer import NS, Refused, criterion
from tests.conformance.edc.steps import Step, World, fetch, in_a_row, same, step, until

STEPS: Final[list[Step]] = []
DATASETS: Final = 60
PAGE: Final = 25
FILE: Final = Path(demo.__file__).parent / "data" / "MLO_CO2_monthly.sdmx2.csv"
CONTENT: Final = FILE.read_bytes()
ID: Final = f"{NS}id"


def listed(node: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the values of a key, where one stands without brackets and none not at all."""
    value = node.get(key, [])
    return value if isinstance(value, list) else [value]


def only(world: World, key: str) -> dict[str, Any]:
    """Return our dataset `key` as EDC finds it by its id."""
    catalog = world.edc.catalog(world.us, filterExpression=[criterion(ID, "=", key)])
    (found,) = listed(catalog, "dataset")
    assert found["@id"] == key
    return found


@step(STEPS, "EDC-C:01")
def publish(world: World) -> str:
    """We publish datasets under an open offer, and one for research only."""
    space = world.ours.space
    draft = space.draft(FILE).record
    keys = []
    for number in range(DATASETS):
        key = f"{draft['id']}-{number:03}"
        shelf = {**draft["distribution"][0], "id": f"{key}#file"}
        title = {"en": f"Rain of station {number:03}"}
        space.register({**draft, "id": key, "title": title, "distribution": [shelf]})
        template = "research-only" if number == DATASETS - 1 else "open"
        space.offer(key, template=template, automation="accept")
        keys.append(key)
    world.found |= {"datasets": sorted(keys), "open": keys[0], "restricted": keys[-1]}
    return f"{len(keys)} datasets"


@step(STEPS, "EDC-C:02")
def find(world: World) -> None:
    """EDC finds one dataset by a QuerySpec with its id, with our offer and a format that it knows."""
    found = only(world, world.need("open"))
    (offer,) = listed(found, "hasPolicy")
    assert listed(offer, "permission"), "the offer has no rules"
    assert {each["format"] for each in listed(found, "distribution")} == {"HttpData-PULL"}
    world.found["offer"] = offer


@step(STEPS, "EDC-C:03")
def pages(world: World) -> str:
    """EDC pages by offset and limit: every dataset once, the last page short, nothing beyond the end."""
    seen: list[str] = []
    sizes = []
    for offset in range(0, DATASETS + PAGE, PAGE):
        page = listed(world.edc.catalog(world.us, offset=offset, limit=PAGE), "dataset")
        sizes.append(len(page))
        seen += [each["@id"] for each in page]
    beyond = world.edc.catalog(world.us, offset=DATASETS, limit=PAGE)
    assert not listed(beyond, "dataset")
    assert sorted(seen) == world.need("datasets")
    return f"pages of {sizes}"


@step(STEPS, "EDC-C:04")
def operators(world: World) -> None:
    """The operators in, like and the sort order of EDC's QuerySpec do what they do between two EDCs."""
    keys = world.need("datasets")
    some = [keys[3], keys[5]]
    asked: list[tuple[dict[str, Any], list[str]]] = [
        ({"filterExpression": [criterion(ID, "in", some)]}, some),
        ({"filterExpression": [criterion(ID, "like", f"{keys[0][:-1]}%")]}, keys[:10]),
        ({"sortField": ID, "sortOrder": "DESC", "limit": 3}, keys[:-4:-1]),
    ]
    for query, expected in asked:
        found = [each["@id"] for each in listed(world.edc.catalog(world.us, **query), "dataset")]
        assert found == expected, f"{query}: {found}"


@step(STEPS, "EDC-C:05")
def not_understood(world: World) -> None:
    """A filter that we do not understand is refused: the whole catalog would be an answer to another question."""
    try:
        world.edc.catalog(world.us, filterExpression=[criterion("urn:no-such-property:at all", "=", "x")])
    except Refused as refused:
        assert "no-such-property" in str(refused), str(refused)  # noqa: PT017 - EDC hands our words on
    else:
        raise AssertionError("EDC got a catalog")


@step(STEPS, "EDC-C:06")
def one_dataset(world: World) -> None:
    """EDC gets one dataset by the address that the protocol gives it."""
    key = world.need("open")
    assert world.edc.dataset(world.us, key)["@id"] == key


@step(STEPS, "EDC-C:07")
def negotiate(world: World) -> None:
    """A negotiation reaches FINALIZED; both sides hold the same agreement, its rules as EDC requested them."""
    key = world.need("open")
    negotiation = world.edc.negotiate(world.us, key, world.need("offer"))
    world.found["agreement"] = world.edc.agreed(negotiation)
    theirs = world.edc.shared(negotiation)
    world.found["our agreement"] = world.ours.space.agreement(theirs["agreementId"])
    ours = world.need("our agreement").state
    assert ours["state"] == "active"
    assert (ours["policy"]["assigner"], ours["policy"]["assignee"]) == (world.us.participant, world.edc.participant)
    assert ours["policy"]["timestamp"]
    assert theirs["assetId"] == key


@step(STEPS, "EDC-C:08")
def refused(world: World) -> str:
    """Our refusal by policy ends the negotiation at EDC: it knows the offer, whose values it sends back as text."""
    key = world.need("restricted")
    (offer,) = listed(only(world, key), "hasPolicy")
    negotiation = world.edc.negotiate(world.us, key, offer)
    world.edc.wait(f"/contractnegotiations/{negotiation}", "TERMINATED")
    (ours,) = [each for each in world.ours.space.connection.get("/api/negotiations") if each["dataset"] == key]
    assert (ours["state"], ours["code"]) == ("TERMINATED", "policy")
    assert "purpose" in ours["reason"][0]
    return str(ours["reason"][0])


@step(STEPS, "EDC-C:09")
def start(world: World) -> None:
    """A transfer reaches STARTED on both sides."""
    transfer = world.edc.transfer(world.us, world.need("agreement"))
    found = world.edc.wait(f"/transferprocesses/{transfer}", "STARTED")
    world.found["transfer"] = transfer
    world.found["our transfer"] = found["correlationId"]
    assert our_transfer(world)["state"] == "STARTED"


def our_transfer(world: World) -> dict[str, Any]:
    """Return our side of EDC's transfer."""
    found: dict[str, Any] = world.ours.space.connection.get(f"/api/transfers/{world.need('our transfer')}")
    return found


@step(STEPS, "EDC-C:10")
def reference(world: World) -> None:
    """EDC's users get endpoint, token and its kind from its EDR API: our start says them under EDC's names too."""
    found = world.edc.reference(world.need("transfer"))
    assert found["authType"] == "bearer"
    assert found["endpoint"].startswith(world.ours.url)
    world.found |= {"endpoint": found["endpoint"], "token": found["authorization"]}


@step(STEPS, "EDC-C:11")
def pull(world: World) -> str:
    """The bytes pulled with it are those that we published, with and without the word Bearer."""
    for token in (world.need("token"), f"Bearer {world.need('token')}"):
        same(fetch(world.need("endpoint"), token).content, CONTENT)
    return f"{len(CONTENT):,} bytes"


@step(STEPS, "EDC-C:12")
def pull_ranges(world: World) -> None:
    """Two ranges are the parts that they say, and together the file."""
    parts = [fetch(world.need("endpoint"), world.need("token"), Range=f"bytes={r}") for r in ("0-99", "100-")]
    assert [part.status_code for part in parts] == [206, 206]
    same(parts[0].content + parts[1].content, CONTENT)


@step(STEPS, "EDC-C:13")
def suspend(world: World) -> None:
    """EDC suspends the transfer: its token opens nothing any more; EDC resumes: a new one does."""
    path = f"/transferprocesses/{world.need('transfer')}"
    world.edc.post(f"{path}/suspend", {"reason": "Nightly backup."})
    until(lambda: our_transfer(world)["state"] == "SUSPENDED", "our side is SUSPENDED")
    assert our_transfer(world)["reason"] == ["Nightly backup."]
    assert fetch(world.need("endpoint"), world.need("token")).status_code in {401, 403}
    world.edc.post(f"{path}/resume", {})
    world.edc.wait(path, "STARTED")
    assert our_transfer(world)["state"] == "STARTED"
    found = until(lambda: fresh(world), "a new data address")
    same(fetch(found["endpoint"], found["authorization"]).content, CONTENT)
    world.found["token"] = found["authorization"]


def fresh(world: World) -> dict[str, str] | None:
    """Return the data address once it has another token than before."""
    found = world.edc.reference(world.need("transfer"))
    return found if found["authorization"] != world.need("token") else None


@step(STEPS, "EDC-C:14")
def end(world: World) -> None:
    """EDC ends the transfer: our side ends with its reason verbatim, and the token is void within a second."""
    reason = "Enough: \u00e4\u00f6\u00fc \u2013 done."
    world.edc.post(f"/transferprocesses/{world.need('transfer')}/terminate", {"reason": reason})
    until(lambda: our_transfer(world)["state"] == "TERMINATED", "our side is TERMINATED")
    assert our_transfer(world)["reason"] == [reason]
    assert fetch(world.need("endpoint"), world.need("token")).status_code in {401, 403}


@step(STEPS, "EDC-C:15")
def no_such_format(world: World) -> str:
    """A format that we do not offer ends the transfer at EDC with our words."""
    transfer = world.edc.transfer(world.us, world.need("agreement"), "Parcel-PULL")
    found = world.edc.wait(f"/transferprocesses/{transfer}", "TERMINATED", "DEPROVISIONED")
    assert "Parcel-PULL" in found["errorDetail"], found
    return str(found["errorDetail"])


@step(STEPS, "EDC-C:16")
def withdrawn(world: World) -> None:
    """When we end the agreement, EDC's running transfer ends too."""
    transfer = world.edc.transfer(world.us, world.need("agreement"))
    path = f"/transferprocesses/{transfer}"
    world.edc.wait(path, "STARTED")
    world.need("our agreement").terminate("The source was recalled.")
    world.edc.wait(path, "TERMINATED", "DEPROVISIONED")


@step(STEPS, "EDC-C:17")
def row(world: World) -> str:
    """Negotiations in a row, none lost: EDC as consumer answers 409 to what comes too early, and we say it again."""
    key, offer = world.need("open"), world.need("offer")
    return in_a_row(world, lambda: str(world.edc.agreed(world.edc.negotiate(world.us, key, offer))))
