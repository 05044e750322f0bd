"""Messages with something wrong in them, by the thousand: refused in the protocol's words, never a bug, nothing moved.

Each starts from a message that would be taken and has one to three places changed: a key gone, added or doubled, a
value of another kind, another process's id, another participant's. What is still a valid message may be taken; what
is not has to leave everything as it was.
"""

import copy
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.standards.dsp import messages
from connector.standards.dsp.schema import CONTEXT
from connector.storage.tables import Negotiation, Transfer
from tests.web.conftest import OTHER, PEER, House

CALLBACK = "http://127.0.0.1:9/nobody"
NUMBERS = itertools.count(1)
ERRORS = {"catalog": "CatalogError", "negotiations": "ContractNegotiationError", "transfers": "TransferError"}

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**400,
    "",
    " ",
    "urn:x",
    "\x00",
    "é" * 3,
    "a" * 10_000,
    [],
    {},
    [[]],
    [None],
    {"@id": "urn:x"},
    {"@value": "5", "@type": "xsd:integer"},
    {"@type": "Offer"},
    "ContractRequestMessage",
    "dspace:FINALIZED",
    "http://169.254.169.254/",
]
"""Values that are wrong somewhere; as JSON numbers they are larger than any machine's."""


def deep(levels: int) -> Any:
    """Return a list in a list, so many times."""
    found: Any = []
    for _ in range(levels):
        found = [found]
    return found


# Copies: what one message has of them may be changed further, and the next has to find them as they were.
VALUES = (
    st.sampled_from([*ODD, deep(50), deep(900)]).map(copy.deepcopy)
    | st.text(max_size=20)
    | st.integers()
    | st.floats(allow_nan=False)
)
KEYS = st.sampled_from(
    ["@id", "@type", "@context", "consumerPid", "providerPid", "offer", "target", "filter", "reason", "code"]
) | st.text(max_size=8)


def places(message: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a message."""
    yield path
    items = message.items() if isinstance(message, dict) else enumerate(message) if isinstance(message, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


@st.composite
def spoiled(draw: st.DrawFn, message: Any) -> Any:
    """Change one to three places of a message."""
    spoilt = copy.deepcopy(message)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(sorted(places(spoilt), key=repr)))
        if not path:
            if draw(st.booleans()):
                return draw(VALUES)
            continue
        parent = spoilt
        for key in path[:-1]:
            parent = parent[key]
        match draw(st.sampled_from(["change", "remove", "add", "wrap"])):
            case "change":
                parent[path[-1]] = draw(VALUES)
            case "remove":
                del parent[path[-1]]
            case "wrap":
                value = parent[path[-1]]
                parent[path[-1]] = draw(st.sampled_from([[value], {"@value": value}, [value, value]]))
            case _ if isinstance(parent, dict):
                parent[draw(KEYS)] = draw(VALUES)
            case _:
                parent.append(draw(VALUES))
        if not isinstance(spoilt, dict | list) or not spoilt:
            return spoilt
    return spoilt


@pytest.fixture(scope="module")
def process(house: House) -> dict[str, str]:
    """Open a negotiation that waits for a person, and a second one of another peer."""
    offer = house.running.space.offer(house.dataset, template="attribution", automation="approve")
    found = {}
    for who in (PEER, OTHER):
        message = request(house, offer)
        answer = house.running.say("/negotiations/request", json.dumps(message).encode(), house.token(who))
        assert answer.status_code == 201, answer.text
        found[who] = answer.json()["providerPid"]
    return {**found, "consumer": answer.json()["consumerPid"], "offer": json.dumps(offer["policy"])}


def request(house: House, offer: dict[str, Any]) -> dict[str, Any]:
    """Return a contract request of its own."""
    return messages.dump(
        messages.ContractRequestMessage(
            id=f"urn:fuzz:m{next(NUMBERS)}",
            consumer_pid=f"urn:fuzz:c{next(NUMBERS)}",
            callback_address=CALLBACK,
            offer={**offer["policy"], "target": house.dataset},
        )
    )


def letters(house: House, process: dict[str, str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return one message of each kind with the path it goes to, all of them from a consumer."""
    pid = process[PEER]
    with house.running.connector.database.read(house.running.participant) as work:
        consumer = work.need(Negotiation, pid).peer_pid
    context = {"@context": [CONTEXT]}
    both = {**context, "@id": f"urn:fuzz:m{next(NUMBERS)}", "consumerPid": consumer, "providerPid": pid}
    terms = {**json.loads(process["offer"]), "target": house.dataset}
    query = {"@type": "QuerySpec", "offset": 0, "limit": 5, "sortOrder": "ASC", "filterExpression": []}
    transfer = {"consumerPid": "urn:fuzz:t", "agreementId": "urn:none", "format": "HttpData-PULL"}
    why = {"code": "1", "reason": ["Enough."]}
    told, at = f"/negotiations/{pid}", f"/transfers/{pid}"
    return {
        "catalog": ("/catalog/request", {**context, "@type": "CatalogRequestMessage", "filter": [query]}),
        "request": ("/negotiations/request", request(house, {"policy": json.loads(process["offer"])})),
        "counter": (f"{told}/request", {**both, "@type": "ContractRequestMessage", "offer": terms}),
        "offer": (f"{told}/offers", {**both, "@type": "ContractOfferMessage", "offer": terms}),
        "opening": ("/negotiations/offers", {**context, "@type": "ContractOfferMessage", "offer": terms}),
        "agreement": (f"{told}/agreement", {**both, "@type": "ContractAgreementMessage", "agreement": terms}),
        "verify": (f"{told}/agreement/verification", {**both, "@type": "ContractAgreementVerificationMessage"}),
        "event": (f"{told}/events", {**both, "@type": "ContractNegotiationEventMessage", "eventType": "FINALIZED"}),
        "start": (f"{at}/start", {**both, "@type": "TransferStartMessage"}),
        "suspend": (f"{at}/suspension", {**both, "@type": "TransferSuspensionMessage", **why}),
        "complete": (f"{at}/completion", {**both, "@type": "TransferCompletionMessage"}),
        "end": (f"{at}/termination", {**both, "@type": "TransferTerminationMessage", **why}),
        "transfer": (
            "/transfers/request",
            {**context, "@type": "TransferRequestMessage", **transfer, "callbackAddress": CALLBACK},
        ),
    }


def books(house: House) -> list[tuple[str, str, str]]:
    """Return every process with its state and its last change."""
    with house.running.connector.database.read(house.running.participant) as work:
        negotiated, moved = work.select(Negotiation), work.select(Transfer)
    return sorted((row.pid, row.state, str(row.updated)) for row in negotiated) + sorted(
        (row.pid, row.state, str(row.updated)) for row in moved
    )


def judged(house: House, path: str, body: bytes, **headers: str) -> int:
    """Send a body, hold the answer against the protocol, and return its status."""
    before = books(house)
    answer = house.running.call(
        "POST",
        house.running.address.removeprefix(house.running.url) + path,
        key=house.token(),
        content=body,
        headers={"Content-Type": "application/json"} | headers,
    )
    assert answer.status_code < 500, (path, body[:300], answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/json"
        family = path.split("/")[1]
        error = answer.json()
        assert error["@type"] == ERRORS[family], (path, error)
        assert error["reason"], error
        messages.decode(answer.content, getattr(messages, ERRORS[family]))
        assert books(house) == before
    return int(answer.status_code)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_whatever_is_wrong_in_a_message_is_refused_and_moves_nothing(
    house: House, process: dict[str, str], data: st.DataObject
) -> None:
    """No answer is a bug of ours; each refusal is the protocol's own error and leaves every process as it was."""
    known = letters(house, process)
    path, message = known[data.draw(st.sampled_from(sorted(known)))]
    if data.draw(st.integers(0, 9)) == 0:
        path = known[data.draw(st.sampled_from(sorted(known)))][0]
    judged(house, path, json.dumps(data.draw(spoiled(message))).encode("utf-8", "surrogatepass"))


@settings(max_examples=30, deadline=None)
@given(body=st.binary(max_size=200), kind=st.sampled_from(["application/json", "text/plain", "application/xml", ""]))
def test_bytes_that_are_no_message_are_refused(house: House, process: dict[str, str], body: bytes, kind: str) -> None:
    """Neither noise nor another media type gets further than the reader."""
    for path in ("/catalog/request", f"/negotiations/{process[PEER]}/events", "/transfers/request"):
        assert judged(house, path, body, **{"Content-Type": kind}) in {400, 404, 415}


def test_a_foreign_process_cannot_be_named_in_a_message_of_ones_own(house: House, process: dict[str, str]) -> None:
    """Neither in the path nor in the body does another participant's id open anything."""
    theirs = process[OTHER]
    kind = {"@type": "ContractNegotiationTerminationMessage", "consumerPid": "urn:x", "providerPid": theirs}
    message = {"@context": [CONTEXT], **kind}
    assert judged(house, f"/negotiations/{theirs}/termination", json.dumps(message).encode()) == 404
    assert judged(house, f"/negotiations/{process[PEER]}/termination", json.dumps(message).encode()) == 400
