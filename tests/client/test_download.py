"""Bytes on their way: a download that breaks goes on where it broke, and what arrives is what was announced."""

import hashlib
from pathlib import Path

import pytest

from connector import errors
from connector.client import Agreement, Transfer
from connector.demo.cast import ARCHIVE, WEATHER
from tests.client.pair import Pair
from tests.client.relay import relay

WHOLE = WEATHER.path.read_bytes()


def _through(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bytes of every transfer come through a relay."""
    straight = Transfer._access

    def access(self: Transfer) -> tuple[str, str]:
        url, token = straight(self)
        return url.replace(url.split("/")[2], f"127.0.0.1:{port}"), token

    monkeypatch.setattr(Transfer, "_access", access)


def _head_and(answer: bytes, count: int) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n" + body[:count]


def test_a_broken_download_goes_on_where_it_broke(pair: Pair, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is missing is fetched again, under the tag of what is there, and the file is whole."""
    parts = {1: 500, 2: 0, 3: 300}

    def spoil(number: int, answer: bytes) -> bytes:
        return _head_and(answer, parts[number]) if number in parts else answer

    transfer = pair.agree().transfer()
    with relay(pair.provider.port, spoil) as way:
        _through(way.port, monkeypatch)
        path = transfer.fetch(folder)
    assert path.read_bytes() == WHOLE
    assert way.headers("range") == [None, "bytes=500-", "bytes=500-", "bytes=800-"]
    assert set(way.headers("if-range")[1:]) == {f'"{hashlib.sha256(WHOLE).hexdigest()}"'}
    assert [each.name for each in folder.iterdir()] == [WEATHER.file]


def test_a_connection_that_breaks_after_the_last_byte_is_no_failure(
    pair: Pair, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download of which nothing is missing asks for nothing, whatever the server thinks of ranges."""

    def spoil(number: int, answer: bytes) -> bytes:
        head, _, body = answer.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n" + body[: len(WHOLE) - 1 if number == 1 else None]

    transfer = pair.agree().transfer()
    with relay(pair.provider.port, spoil) as way:
        _through(way.port, monkeypatch)
        assert transfer.fetch(folder).read_bytes() == WHOLE
    assert way.headers("range") == [None, f"bytes={len(WHOLE) - 1}-"]


def test_a_server_that_begins_anew_is_followed(pair: Pair, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a range is answered with the whole file, the bytes that were there are thrown away, not kept twice."""

    def spoil(number: int, answer: bytes) -> bytes:
        if number == 1:
            return _head_and(answer, 700)
        head = answer.partition(b"\r\n\r\n")[0].replace(b"206 Partial Content", b"200 OK")
        head = head.replace(b"content-length: %d" % (len(WHOLE) - 700), b"content-length: %d" % len(WHOLE))
        return head + b"\r\n\r\n" + WHOLE

    transfer = pair.agree().transfer()
    with relay(pair.provider.port, spoil) as way:
        _through(way.port, monkeypatch)
        assert transfer.fetch(folder).read_bytes() == WHOLE


def test_bytes_that_are_not_those_announced_are_refused(
    pair: Pair, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One changed bit on the way, and no file appears."""

    def spoil(_: int, answer: bytes) -> bytes:
        return answer[:-1] + bytes([answer[-1] ^ 1])

    transfer = pair.agree().transfer()
    with relay(pair.provider.port, spoil) as way:
        _through(way.port, monkeypatch)
        with pytest.raises(errors.PeerFailed, match="not those that the provider announced"):
            transfer.fetch(folder)
    assert list(folder.iterdir()) == []


def test_a_download_outlasts_a_restart_of_the_provider(
    pair: Pair, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider dies in the middle of the bytes; they come whole, and the use is counted once."""

    def spoil(number: int, answer: bytes) -> bytes:
        if number > 1:
            return answer
        pair.fleet.kill(pair.provider)
        return _head_and(answer, 400)

    agreement = pair.agree()
    transfer = agreement.transfer()
    with relay(pair.provider.port, spoil) as way:
        _through(way.port, monkeypatch)
        assert transfer.fetch(folder).read_bytes() == WHOLE
    assert pair.provider.space.agreement(agreement.id).state["uses"] == 1


def test_what_an_agreement_no_longer_allows_is_not_fetched(pair: Pair, folder: Path) -> None:
    """After the provider ended it, neither the running transfer nor a new one brings a byte; the reason does come."""
    agreement = pair.agree()
    transfer = agreement.transfer()
    Agreement(pair.provider.space.connection, agreement.id).terminate("The licence was withdrawn.")
    pair.space.connection.wait(lambda: transfer.state, lambda seen: seen["state"] == "TERMINATED", 60, "The end")
    with pytest.raises(errors.Conflict, match="The licence was withdrawn"):
        transfer.fetch(folder)
    with pytest.raises(errors.Denied) as refused:
        agreement.download(folder)
    assert "The licence was withdrawn" in refused.value.reasons[0]
    assert list(folder.iterdir()) == []


def test_a_download_is_completed_and_opened(pair: Pair, folder: Path) -> None:
    """One call gives the file and tells the provider that it was had; another gives the data itself."""
    agreement = pair.agree()
    assert agreement.download(folder).read_bytes() == WHOLE
    (transfer,) = [each for each in pair.space.connection.get("/api/transfers") if each["agreement"] == agreement.id]
    assert transfer["state"] == "COMPLETED"
    assert float(agreement.open()["t2m"].mean()) == pytest.approx(291.59, abs=0.01)


def test_a_large_file_is_uploaded_piece_by_piece(pair: Pair) -> None:
    """A file larger than a piece arrives whole: its checksum in the draft is its own."""
    record = pair.provider.space.draft(ARCHIVE.path).record
    checksum = record["distribution"][0]["checksum"]["value"]
    assert checksum == hashlib.sha256(ARCHIVE.path.read_bytes()).hexdigest()


@pytest.mark.parametrize("missing", ["endpoint", "authorization", "endpointProperties"])
def test_an_address_that_leads_nowhere_is_said(
    pair: Pair, folder: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """A provider that forgets half of the data's address is named as the one who failed, not we."""
    transfer = pair.agree().transfer()
    whole = transfer.connection.post(f"/api/transfers/{transfer.id}/access")
    kept = [each for each in whole["endpointProperties"] if each["name"] != missing]
    spoilt = {key: value for key, value in {**whole, "endpointProperties": kept}.items() if key != missing}
    monkeypatch.setattr(type(transfer.connection), "post", lambda *_: spoilt)
    with pytest.raises(errors.PeerFailed, match="where the data is"):
        transfer.fetch(folder)
    assert list(folder.iterdir()) == []
