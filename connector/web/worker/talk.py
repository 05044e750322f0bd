"""What the data worker and the connector tell each other, one message a packet on a pair of sockets.

The worker asks, the connector answers under the same number. The file of an answer travels open, beside its packet.
"""

from typing import Final

from msgspec import Struct, json

PACKET: Final = 128 * 1024
"""Longest message, in bytes; a request's head, which is most of one, is a quarter of it at most."""


BODY: Final = 32 * 1024
"""Longest body of an answer that is in the message itself, in bytes."""


class Ask(Struct, tag="ask", frozen=True):
    """May this be fetched? `name` is empty for the only file of a transfer, `authorization` as the request has it."""

    number: int
    transfer: str
    name: str
    authorization: str


class Bond(Struct, frozen=True):
    """What a grant is bound to."""

    transfer: str
    consumer: str
    agreement: str
    dataset: str


class Watch(Struct, tag="watch", frozen=True):
    """Is all of this still permitted?"""

    number: int
    bonds: tuple[Bond, ...]


Question = Ask | Watch


class Given(Struct, tag="given", frozen=True):
    """It may; the file comes open beside this, and its grant lives for so many seconds."""

    number: int
    bond: Bond
    seconds: float
    digest: str
    size: int
    media_type: str
    name: str


class Said(Struct, tag="said", frozen=True):
    """It is answered otherwise: a refusal, or the list of files where there is more than one.

    A body that is longer than `BODY` comes as an open file beside this.
    """

    number: int
    status: int
    headers: dict[str, str]
    body: bytes


class Ended(Struct, tag="ended", frozen=True):
    """Of what was watched, this is permitted no longer."""

    number: int
    bonds: tuple[Bond, ...]


Answer = Given | Said | Ended

questions: Final = json.Decoder(Question)
answers: Final = json.Decoder(Answer)
encode: Final = json.Encoder().encode
