"""Protocol messages to other connectors: signed, sent once, and their answers sorted into final and passing ones."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec

from connector.errors import PeerFailed
from connector.network import Network, Response
from connector.standards.dsp import messages

Prove = Callable[[str], str]
"""Makes the `Authorization` header, whole, that proves to a peer who we are."""

RACE: Final = 409
"""A peer answers so to a message that overtook the end of its own last one."""
RACE_PAUSE: Final = timedelta(milliseconds=200)
"""After how long a message that lost a race is worth sending again: the peer is busy with us right now."""

TRY_AGAIN: Final = frozenset({408, RACE, 425, 429})
"""4xx answers that pass."""

UNCHANGED: Final = 304
"""Answer to a request with `If-None-Match`: what the asker has is what there is."""

MESSAGE_BYTES: Final = 1024**2
"""Largest answer to a single message, in bytes."""


@dataclass(frozen=True, slots=True)
class Messenger:
    """Sends messages to peers under our identity."""

    network: Network
    prove: Prove
    passing: frozenset[int] = TRY_AGAIN
    """4xx answers after which the same message may succeed later; all others are final."""

    async def post(
        self, peer: str, url: str, body: bytes, *, limit: int = MESSAGE_BYTES, headers: Mapping[str, str] | None = None
    ) -> Response:
        """POST a message to `peer` and return its 2xx answer, whose media type and exact status vary between peers.

        With `If-None-Match` among further `headers`, the answer may be a 304 too.

        Raises:
            PeerFailed: no answer or a refusal; `retryable` tells whether the same message may succeed later.
            InvalidInput: the address is one that this connector must not call.
        """
        sent = {"Authorization": self.prove(peer), "Content-Type": "application/json", **(headers or {})}
        answer = await self.network.request("POST", url, headers=sent, body=body, limit=limit)
        return answer if answer.status == UNCHANGED and "If-None-Match" in sent else self._accepted(peer, answer)

    async def get(self, peer: str, url: str, *, limit: int = MESSAGE_BYTES) -> Response:
        """GET from `peer` under our identity; errors as for `post`."""
        headers = {"Authorization": self.prove(peer), "Accept": "application/json"}
        return self._accepted(peer, await self.network.request("GET", url, headers=headers, limit=limit))

    def _accepted(self, peer: str, answer: Response) -> Response:
        if 200 <= answer.status < 300:  # noqa: PLR2004 - the range of HTTP success
            return answer
        raise PeerFailed(
            f"{peer} answered {answer.status}: {said(answer.body)}",
            retryable=answer.status >= 500 or answer.status in self.passing,  # noqa: PLR2004 - server errors
            status=answer.status,
            body=answer.body,
            after=RACE_PAUSE if answer.status == RACE else None,
        )


def message_id(message: messages.Message) -> str:
    """Return what tells a repeated message from a new one: its `@id`, or a digest where the peer gave none."""
    return message.id or hashlib.sha256(messages.encode(message)).hexdigest()


class _Error(msgspec.Struct):
    """What a DSP error object says, as far as a person can use it."""

    code: object = None
    reason: object = None


def reasons(body: bytes) -> list[str]:
    """Return the reasons of a peer's error object verbatim; none when the body is no such object."""
    try:
        error = msgspec.json.decode(body, type=_Error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    found = error.reason if isinstance(error.reason, list) else [error.reason] if error.reason else []
    found = found or ([error.code] if error.code else [])
    return [item if isinstance(item, str) else msgspec.json.encode(item).decode() for item in found]


def code_of(body: bytes) -> str | None:
    """Return the code of a peer's error object verbatim, where it gave one as text or number."""
    try:
        code = msgspec.json.decode(body, type=_Error).code
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return str(code) if isinstance(code, str | int | float) and not isinstance(code, bool) else None


def said(body: bytes) -> str:
    """Return a peer's answer in one line for people."""
    return "; ".join(reasons(body)) or body[:200].decode(errors="replace").strip() or "nothing more was said"
