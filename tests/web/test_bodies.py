"""Bodies that are too large or too slow: refused in the words of whom they were for, and nobody waits for them."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from connector.errors import TooLarge, TooSlow
from connector.web.bodies import BODY_BYTES, MESSAGE_BYTES, SECONDS, BoundedBodies
from tests.web.conftest import House

QUICK = 0.5


def pieces(*sizes: int) -> Iterator[dict[str, Any]]:
    """Yield the messages of a body in pieces of these sizes."""
    for at, size in enumerate(sizes):
        yield {"type": "http.request", "body": b"x" * size, "more_body": at < len(sizes) - 1}


async def heard(
    path: str, sizes: list[int], pause: float = 0.0, announced: int | None = None, seconds: float = SECONDS
) -> int:
    """Return how many bytes a handler gets of a body that comes in pieces, with a pause before each."""
    body = pieces(*sizes)
    got = 0

    async def receive() -> Any:
        await asyncio.sleep(pause)
        return next(body, {"type": "http.disconnect"})

    async def app(_: Any, receive: Any, __: Any) -> None:
        nonlocal got
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            got += len(message["body"])

    headers = [] if announced is None else [(b"content-length", str(announced).encode())]
    scope: Any = {"type": "http", "method": "POST", "path": path, "headers": headers}
    bounded = BoundedBodies(app, messages="/dsp", streamed=("/api/drafts",), seconds=seconds)
    await bounded(scope, receive, None)  # type: ignore[arg-type]
    return got


@pytest.mark.parametrize(("path", "most"), [("/dsp/x", MESSAGE_BYTES), ("/api/x", BODY_BYTES)])
def test_a_body_up_to_the_limit_comes_through_and_no_byte_more(path: str, most: int) -> None:
    """The limit counts what came, in however many pieces, whatever was announced."""
    assert asyncio.run(heard(path, [most // 2, most - most // 2])) == most
    for sizes, announced in (([most + 1], None), ([most, 1], 5), ([1], most + 1)):
        with pytest.raises(TooLarge):
            asyncio.run(heard(path, sizes, announced=announced))


def test_a_body_has_a_time_in_all_and_a_file_one_for_each_piece() -> None:
    """A drip of bytes holds no handler for ever; a large file may take as long as it goes on coming."""
    sizes = [1] * 6
    with pytest.raises(TooSlow):
        asyncio.run(heard("/api/x", sizes, QUICK / 4, seconds=QUICK))
    assert asyncio.run(heard("/api/drafts", sizes, QUICK / 4, seconds=QUICK)) == len(sizes)
    with pytest.raises(TooSlow):
        asyncio.run(heard("/api/drafts", sizes, QUICK * 2, seconds=QUICK))


def test_waiting_for_the_end_of_the_connection_takes_as_long_as_it_takes() -> None:
    """Once the body is whole nothing is late any more: a long answer is not broken off."""

    async def act() -> list[str]:
        kinds = []
        first = pieces(1)

        async def receive() -> Any:
            with contextlib.suppress(StopIteration):
                return next(first)
            await asyncio.sleep(QUICK * 2)
            return {"type": "http.disconnect"}

        async def app(_: Any, receive: Any, __: Any) -> None:
            kinds.extend([(await receive())["type"], (await receive())["type"]])

        scope: Any = {"type": "http", "method": "POST", "path": "/dsp/x", "headers": []}
        await BoundedBodies(app, messages="/dsp", streamed=("/api/drafts",), seconds=QUICK)(scope, receive, None)  # type: ignore[arg-type]
        return kinds

    assert asyncio.run(act()) == ["http.request", "http.disconnect"]


@pytest.mark.parametrize("path", ["/catalog/request", "/negotiations/request", "/transfers/request"])
def test_a_message_that_is_too_large_gets_the_protocols_error(house: House, path: str) -> None:
    """A peer reads in its own protocol's words that less would do; the message is never whole in memory."""
    answer = house.running.say(path, b" " * (MESSAGE_BYTES + 1), house.token())
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json()["@type"].endswith("Error")
    assert "larger than" in answer.text


def test_a_record_that_is_too_large_gets_a_problem_document(house: House) -> None:
    """Our own API says 413, and where larger things go."""
    answer = house.running.call("POST", "/api/validate", content=b" " * (BODY_BYTES + 1))
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert "/api/drafts" in answer.json()["fix"]
