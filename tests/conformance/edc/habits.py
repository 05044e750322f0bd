"""What EDC does that the specification does not lead one to expect; `test_edc_habits` plays it without EDC."""

import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import httpx2

from connector.standards.odrl import intake, templates
from tests.builders import Answer, Heard, Puppet, acknowledge, puppet
from tests.conformance.edc.as_consumer import listed
from tests.conformance.edc.identity import header
from tests.conformance.edc.peer import Party, criterion
from tests.conformance.edc.steps import Step, World, step, until

STEPS: Final[list[Step]] = []
CONTEXT: Final = "https://w3id.org/dspace/2025/1/context.jsonld"
EXTRA: Final = "https://w3id.org/edc/dspace/v0.0.1"
PROBE: Final = "did:web:probe.example"
STRANGER: Final = "did:web:stranger.example"
ASSET: Final = "habit"
OPEN: Final = [{"action": "use"}]
ASK: Final = {"@type": "CatalogRequestMessage"}


def say(
    world: World, path: str, message: Mapping[str, Any], sender: str = PROBE, **headers: str | None
) -> httpx2.Response:
    """Send EDC a message of the protocol; headers of these names take the place of the right ones, None leaves out."""
    right = {"authorization": header(sender, world.edc.participant), "content_type": "application/json"}
    sent = {name.replace("_", "-"): value for name, value in (right | headers).items() if value is not None}
    body = json.dumps({"@context": [CONTEXT], **message})
    return httpx2.post(world.edc.address + path, content=body, headers=sent, timeout=30, trust_env=False)


def catalog_request(*filters: Any) -> dict[str, Any]:
    """Return a request for the catalog; the terms of a QuerySpec need EDC's own context beside the protocol's."""
    return {"@context": [CONTEXT, EXTRA], "@type": "CatalogRequestMessage", "filter": list(filters)} if filters else ASK


def offered(world: World) -> str:
    """Return the id of an offer of EDC's for an asset of these steps."""
    if "habit" not in world.found:
        world.edc.offer(ASSET, world.need("source"))
        world.found["habit"] = True
    query = {"@type": "QuerySpec", "filterExpression": [criterion("id", "=", ASSET)]}
    found = say(world, "/catalog/request", catalog_request(query))
    (dataset,) = listed(found.json(), "dataset")
    return str(listed(dataset, "hasPolicy")[0]["@id"])


def request(world: World, callback: str | None, **changes: Any) -> dict[str, Any]:
    """Return a first ContractRequestMessage."""
    offer = {"@id": offered(world), "@type": "Offer", "target": ASSET, "permission": OPEN}
    message = {"@type": "ContractRequestMessage", "@id": f"urn:uuid:{uuid4()}", "consumerPid": f"urn:uuid:{uuid4()}"}
    return {**message, "offer": offer, **({"callbackAddress": callback} if callback else {}), **changes}


def heard(found: Puppet, part: str) -> Heard:
    """Return what EDC said under such a path, once it did."""

    def look() -> Heard | None:
        return next((each for each in found.heard if part in each.path), None)

    made: Heard = until(look, f"EDC says {part}")
    return made


@step(STEPS, "EDC-H:01")
def doors(world: World) -> None:
    """Without a header 401; with another kind, or without a region, 500 with an HTML page."""
    assert say(world, "/catalog/request", catalog_request(), authorization=None).status_code == 401
    for proof in ("Bearer abc", json.dumps({"audience": "x", "clientId": PROBE})):
        answer = say(world, "/catalog/request", catalog_request(), authorization=proof)
        assert (answer.status_code, "html" in answer.text.lower()) == (500, True), answer.text[:200]


@step(STEPS, "EDC-H:02")
def forms(world: World) -> None:
    """application/ld+json is 415, a context that EDC does not know 400; nothing is loaded."""
    answer = say(world, "/catalog/request", catalog_request(), content_type="application/ld+json")
    assert answer.status_code == 415
    foreign = {**ASK, "@context": [CONTEXT, "https://context.example/v1"]}
    assert say(world, "/catalog/request", foreign).status_code == 400


@step(STEPS, "EDC-H:03")
def catalog(world: World) -> None:
    """A catalog without a filter has 50 datasets and a Link, an extra context, and new offer ids each time."""
    first, second = (say(world, "/catalog/request", catalog_request()) for _ in range(2))
    pages = [answer.json() for answer in (first, second)]
    assert len(listed(pages[0], "dataset")) == 50
    assert re.search(r'rel="?next', first.headers["link"]), first.headers["link"]
    assert EXTRA in pages[0]["@context"]
    offers = [{listed(each, "hasPolicy")[0]["@id"] for each in listed(page, "dataset")} for page in pages]
    assert not offers[0] & offers[1]
    services = [each["accessService"] for each in listed(listed(pages[0], "dataset")[0], "distribution")]
    assert all(service["endpointURL"] == world.edc.address for service in services)


@step(STEPS, "EDC-H:04")
def filters(world: World) -> None:
    """A filter element that EDC does not know is ignored."""
    answer = say(world, "/catalog/request", catalog_request({"@type": "QuerySpec", "limit": 3, "nonsense": 1}))
    assert len(listed(answer.json(), "dataset")) == 3


@step(STEPS, "EDC-H:05")
def created(world: World) -> None:
    """A creation is answered 200; the same first request twice opens two negotiations."""
    with puppet(PROBE) as probe:
        message = request(world, probe.address)
        answers = [say(world, "/negotiations/request", message) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert len({answer.json()["providerPid"] for answer in answers}) == 2


@step(STEPS, "EDC-H:06")
def refusals(world: World) -> None:
    """No callback 500, an unknown negotiation 404, a wrong state 409, a stranger 400."""
    assert say(world, "/negotiations/request", request(world, None)).status_code == 500
    both = {"consumerPid": "urn:c", "providerPid": "urn:none"}
    verify = {"@type": "ContractAgreementVerificationMessage", "@id": f"urn:uuid:{uuid4()}"}
    assert say(world, "/negotiations/urn:none/agreement/verification", {**verify, **both}).status_code == 404
    with puppet(PROBE) as probe:
        message = request(world, probe.address)
        pid = say(world, "/negotiations/request", message).json()["providerPid"]
        pair = {"consumerPid": message["consumerPid"], "providerPid": pid}
        event = {"@type": "ContractNegotiationEventMessage", "eventType": "ACCEPTED", "@id": f"urn:uuid:{uuid4()}"}
        heard(probe, "/agreement")
        assert say(world, f"/negotiations/{pid}/events", {**event, **pair}).status_code == 409
        stranger = say(world, f"/negotiations/{pid}/agreement/verification", {**verify, **pair}, STRANGER)
        assert stranger.status_code == 400


@step(STEPS, "EDC-H:07")
def pids(world: World) -> None:
    """A verification with a wrong providerPid is 400, with a wrong consumerPid it is taken; the answer is empty."""
    with puppet(PROBE) as probe:
        message = request(world, probe.address)
        pid = say(world, "/negotiations/request", message).json()["providerPid"]
        heard(probe, "/agreement")
        verify = {"@type": "ContractAgreementVerificationMessage", "consumerPid": message["consumerPid"]}

        def verified(**pair: str) -> httpx2.Response:
            path = f"/negotiations/{pid}/agreement/verification"
            return say(world, path, {**verify, "@id": f"urn:uuid:{uuid4()}", **pair})

        assert verified(providerPid="urn:other").status_code == 400
        time.sleep(0.3)  # EDC has to write down that its agreement arrived
        taken = verified(providerPid=pid, consumerPid="urn:other")
        assert (taken.status_code, taken.content) == (200, b"")
        heard(probe, "/events")


@step(STEPS, "EDC-H:08")
def transfers(world: World) -> None:
    """The same transfer request twice is one process; a stranger's is 409; an unknown format 200, then terminated."""
    with puppet(PROBE) as probe:
        message = request(world, probe.address)
        pid = say(world, "/negotiations/request", message).json()["providerPid"]
        agreement = heard(probe, "/agreement").message["agreement"]["@id"]
        time.sleep(0.3)  # as above
        pair = {"consumerPid": message["consumerPid"], "providerPid": pid}
        verify = {"@type": "ContractAgreementVerificationMessage", "@id": f"urn:uuid:{uuid4()}"}
        assert say(world, f"/negotiations/{pid}/agreement/verification", {**verify, **pair}).status_code == 200
        heard(probe, "/events")
        time.sleep(0.3)

        def asked(sender: str = PROBE, kind: str = "HttpData-PULL", pid: str = "urn:uuid:t1") -> httpx2.Response:
            wanted = {"@type": "TransferRequestMessage", "consumerPid": pid, "agreementId": agreement, "format": kind}
            wanted |= {"callbackAddress": probe.address, "@id": f"urn:uuid:{uuid4()}"}
            return say(world, "/transfers/request", wanted, sender)

        assert asked(STRANGER).status_code == 409
        first, second = asked(), asked()
        assert first.json()["providerPid"] == second.json()["providerPid"]
        start = heard(probe, "/start").message["dataAddress"]
        assert {each["name"] for each in start["endpointProperties"]} >= {
            f"https://w3id.org/edc/v0.0.1/ns/{name}" for name in ("endpoint", "authorization", "authType")
        }
        assert asked(kind="Parcel-PULL", pid="urn:uuid:t2").status_code == 200
        heard(probe, "/transfers/urn:uuid:t2/termination")


def asking(world: World, probe: Puppet, **offer: Any) -> str:
    """Let EDC, as consumer, ask the probe for something, and return the negotiation's id."""
    party = Party(probe.participant, probe.address)
    terms = {"@id": f"urn:offer:{uuid4()}", "permission": OPEN, **offer}
    return world.edc.negotiate(party, "urn:data:1", terms)


def agreement(world: World, asked: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the agreement to a request of EDC's."""
    parties = {"assigner": PROBE, "assignee": world.edc.participant, "timestamp": "2026-01-01T00:00:00Z"}
    terms = {**asked["offer"], **parties, "@id": f"urn:uuid:{uuid4()}", "@type": "Agreement", **changes}
    pair = {"consumerPid": asked["consumerPid"], "providerPid": f"urn:theirs:{asked['consumerPid']}"}
    message = {"@type": "ContractAgreementMessage", "@id": f"urn:uuid:{uuid4()}", **pair}
    return {**message, "agreement": {key: value for key, value in terms.items() if value is not None}}


@step(STEPS, "EDC-H:09")
def race(world: World) -> str:
    """An agreement that comes before EDC wrote down its own request is 409; the same 200 ms later is taken."""
    seen: list[int] = []
    with puppet(PROBE) as probe:

        def eager(found: Heard) -> Answer:
            if found.path.endswith("/negotiations/request"):
                path = f"/negotiations/{found.message['consumerPid']}/agreement"
                seen.append(say(world, path, agreement(world, found.message)).status_code)
            return acknowledge(found)

        probe.script = eager
        asking(world, probe)
        asked = heard(probe, "/negotiations/request").message
        until(lambda: seen, "the early agreement is answered")
        time.sleep(0.2)
        late = say(world, f"/negotiations/{asked['consumerPid']}/agreement", agreement(world, asked))
        assert (seen, late.status_code) == ([409], 200)
        heard(probe, "/agreement/verification")
    return f"{seen[0]}, then {late.status_code}"


@step(STEPS, "EDC-H:10")
def other_rules(world: World) -> None:
    """An agreement needs the rules of EDC's own request, assigner, assignee, timestamp; else EDC says no and waits."""
    with puppet(PROBE) as probe:
        negotiation = asking(world, probe)
        asked = heard(probe, "/negotiations/request").message
        time.sleep(0.3)
        path = f"/negotiations/{asked['consumerPid']}/agreement"
        wrong: list[dict[str, Any]] = [
            {"permission": [{"action": "use", "constraint": []}, {"action": "use"}]},
            {"assignee": None},
            {"timestamp": None},
            {"assigner": STRANGER},
        ]
        for change in wrong:
            assert say(world, path, agreement(world, asked, **change)).status_code == 400, change
        assert world.edc.get(f"/contractnegotiations/{negotiation}")["state"] == "REQUESTED"
        assert say(world, path, agreement(world, asked, assignee="did:web:anybody.example")).status_code == 200


@step(STEPS, "EDC-H:11")
def fatal(world: World) -> None:
    """A 4xx to its request ends EDC's negotiation at once, a 500 is tried again."""
    with puppet(PROBE) as probe:
        probe.script = lambda _: Answer(404)
        world.edc.wait(f"/contractnegotiations/{asking(world, probe)}", "TERMINATED")
    with puppet(PROBE) as probe:
        probe.script = lambda found: Answer(500) if len(probe.heard) == 1 else acknowledge(found)
        world.edc.wait(f"/contractnegotiations/{asking(world, probe)}", "REQUESTED")
        assert len(probe.heard) >= 2


@step(STEPS, "EDC-H:12")
def packed(world: World) -> str:
    """Every policy template of ours comes back from EDC with values as text, and is the same to us."""
    names = []
    with puppet(PROBE) as probe:
        for template in templates.templates():
            values = {name: parameter.example for name, parameter in template.parameters.items()}
            terms = intake.write(intake.read(templates.fill(template.name, **values)))
            probe.heard.clear()
            asking(world, probe, **terms)
            back = heard(probe, "/negotiations/request").message["offer"]
            assert intake.same(back, terms), f"{template.name}: {back}"
            names.append(template.name)
    return f"{len(names)} templates"


@step(STEPS, "EDC-H:13")
def gone(world: World) -> None:
    """An offer id that EDC cannot read, or of an asset that is gone, is 400 or 404 with a DSP error object."""
    with puppet(PROBE) as probe:
        for key in ("no-such-offer", "bm9uZQ==:bm9uZQ==:bm9uZQ=="):
            offer = {"@id": key, "@type": "Offer", "target": ASSET, "permission": OPEN}
            answer = say(world, "/negotiations/request", request(world, probe.address, offer=offer))
            assert answer.status_code in {400, 404}, answer.text
            assert answer.json()["@type"] == "ContractNegotiationError"
