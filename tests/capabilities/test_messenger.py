"""The messenger: who we are goes with every message, and an answer is one that may pass or one that is final."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.capabilities.messenger import RACE_PAUSE, Messenger, message_id, reasons, said
from connector.errors import InvalidInput, PeerFailed, TooLarge
from connector.standards.dsp import messages
from connector.standards.vc import keys, tokens
from tests.builders import Answer, Puppet, Still, error
from tests.capabilities.conftest import PEER, US

pytestmark = pytest.mark.usefixtures("fresh_peer")


def messenger(house: Still) -> Messenger:
    """Return the connector's own."""
    return house.connector.federation.messenger


def test_a_message_proves_who_we_are_to_one_audience(house: Still, peer: Puppet) -> None:
    """Each message has a fresh token for the peer, signed with our key; the body goes out as it is."""
    for _ in range(2):
        house.runner.run(messenger(house).post(PEER, f"{peer.address}/x", b'{"a": 1}'))
    first, second = peer.heard
    assert (first.body, first.method) == (b'{"a": 1}', "POST")
    assert first.authorization != second.authorization
    key = house.connector.identity.key
    ours = {keys.key_id(US, key): key}
    claims = tokens.verify(
        first.authorization.removeprefix("Bearer "), ours, issuer=US, audience=PEER, now=house.clock()
    )
    assert claims.issuer == US
    peer.script = lambda _: Answer(200, b"{}")
    house.runner.run(messenger(house).get(PEER, f"{peer.address}/y"))
    assert (peer.heard[-1].method, peer.heard[-1].path) == ("GET", "/dsp/y")
    assert peer.heard[-1].authorization.startswith("Bearer ")


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_success_is_one(house: Still, peer: Puppet, status: int) -> None:
    """Connectors answer a creation with 200 or 201; both mean yes."""
    peer.script = lambda _: Answer(status)
    assert house.runner.run(messenger(house).post(PEER, peer.address, b"{}")).status == status


@pytest.mark.parametrize(
    ("status", "passing"),
    [(301, False), (307, False), (400, False), (401, False), (403, False), (404, False), (408, True), (409, True),
     (410, False), (413, False), (425, True), (429, True), (500, True), (501, True), (502, True), (503, True)],
)  # fmt: skip
def test_a_refusal_passes_or_is_final(house: Still, peer: Puppet, status: int, passing: bool) -> None:
    """The outbox tries again what may pass; the answer's own words travel with the refusal."""
    peer.script = lambda _: error(status, "Why not.")
    with pytest.raises(PeerFailed) as refused:
        house.runner.run(messenger(house).post(PEER, peer.address, b"{}"))
    assert (refused.value.retryable, refused.value.status) == (passing, status)
    assert refused.value.after == (RACE_PAUSE if status == 409 else None)
    assert reasons(refused.value.body) == ["Why not."]
    assert "Why not." in refused.value.message


def test_a_composition_says_which_refusals_pass(house: Still, peer: Puppet) -> None:
    """Which 4xx may pass is the community's to say; the header is whatever proves us there, whole."""
    peer.script = lambda _: error(409, "Why not.")
    strict = Messenger(house.connector.network, lambda to: f'{{"clientId": "{to}"}}', frozenset())
    with pytest.raises(PeerFailed) as refused:
        house.runner.run(strict.post(PEER, peer.address, b"{}"))
    assert not refused.value.retryable
    assert json.loads(peer.heard[-1].authorization) == {"clientId": PEER}


def test_no_answer_may_pass_and_a_flood_does_not_fit(house: Still, peer: Puppet) -> None:
    """Silence may pass; an answer without end is cut at the limit."""
    peer.script = lambda _: Answer(0)
    with pytest.raises(PeerFailed) as refused:
        house.runner.run(messenger(house).post(PEER, peer.address, b"{}"))
    assert (refused.value.retryable, refused.value.status) == (True, None)
    peer.script = lambda _: Answer(200, b"x" * 5000)
    with pytest.raises((PeerFailed, TooLarge)):
        house.runner.run(messenger(house).post(PEER, peer.address, b"{}", limit=4000))


def test_t01_an_address_that_must_not_be_called_is_not_called(house: Still) -> None:
    """Not even when it came into a row somehow."""
    for url in ("http://10.0.0.1/", "file:///etc/passwd", "http://169.254.169.254/latest"):
        with pytest.raises(InvalidInput):
            house.runner.run(messenger(house).post(PEER, url, b"{}"))


JSONS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=200) | JSONS.map(lambda value: json.dumps(value).encode()))
def test_whatever_a_peer_answers_has_words(body: bytes) -> None:
    """No body breaks the reading of reasons, and there is always a line for people."""
    assert all(isinstance(reason, str) for reason in reasons(body))
    assert said(body)


@given(st.lists(JSONS, min_size=1, max_size=4))
def test_reasons_are_verbatim(given_reasons: list[Any]) -> None:
    """Texts stay texts; anything else is shown as the JSON it is."""
    found = reasons(json.dumps({"reason": given_reasons, "code": "c"}).encode())
    assert len(found) == len(given_reasons)
    for text, value in zip(found, given_reasons, strict=True):
        if isinstance(value, str):
            assert text == value
        else:
            assert isinstance(json.loads(text), type(value) if not isinstance(value, float) else int | float)


def test_a_code_stands_in_for_reasons() -> None:
    """A peer that only gives a code has said that."""
    assert reasons(b'{"code": "E7"}') == ["E7"]
    assert reasons(b'{"code": "E7", "reason": []}') == ["E7"]
    assert reasons(b'{"code": 7}') == ["7"]
    assert reasons(b'{"reason": "no list"}') == ["no list"]
    assert reasons(b'{"reason": ' + b"[" * 200_000) == []


def test_a_message_without_an_id_is_known_by_what_it_says() -> None:
    """A repeat is a repeat by its id, and where the peer gives none by its content."""
    both: dict[str, Any] = {"consumer_pid": "c", "provider_pid": "p"}
    kind = messages.ContractNegotiationTerminationMessage
    assert message_id(kind(**both, id="urn:1", reason=("a",))) == message_id(kind(**both, id="urn:1", reason=("b",)))
    assert message_id(kind(**both, reason=("a",))) == message_id(kind(**both, reason=("a",)))
    assert message_id(kind(**both, reason=("a",))) != message_id(kind(**both, reason=("b",)))
    assert base64.b16decode(message_id(kind(**both)).upper())
