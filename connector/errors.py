"""Every refusal the connector can give. Knows no HTTP: `web/problems.py` maps the family once.

    Refusal
    ├─ InvalidInput      what came in breaks a rule of its format, schema or profile
    │  ├─ TooLarge       it is larger, deeper or slower to read than allowed
    │  └─ TooSlow        it did not come in the time that it may take
    ├─ NotFound          there is no such thing, or it is not the asker's to see
    │  └─ Gone           there was, and everyone may know when and why it went
    ├─ IllegalMove       the protocol does not allow this message in this state
    ├─ Conflict          it contradicts what is already recorded
    │  └─ Stale          somebody changed it meanwhile; the differences are in it
    ├─ Unauthenticated   the asker did not prove who they are
    ├─ Denied            the asker is known and may not; the reasons say why
    ├─ Busy              not now; the same request may succeed later
    └─ PeerFailed        another connector or server did not do its part

A refusal says what is wrong, where, and how to mend it. Anything that is not a `Refusal` is a bug.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any


class Refusal(Exception):  # noqa: N818 - refusals read as claims, see the house names
    """A request that is answered with a no and a reason.

    `message` says what is wrong in one sentence, `where` names the place (a field, a line, a term), `fix` what
    the asker can do, `reasons` the single findings where there are several.
    """

    def __init__(
        self, message: str, *, where: str | None = None, fix: str | None = None, reasons: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.fix = fix
        self.reasons = tuple(reasons)

    def __str__(self) -> str:
        """Return the whole refusal as a person reads it: what, where, each reason, and the mend."""
        place = f" (at {self.where})" if self.where else ""
        reasons = "".join(f"\n- {reason}" for reason in self.reasons)
        mend = f"\nTo fix it: {self.fix}" if self.fix else ""
        return f"{self.message}{place}{reasons}{mend}"


class InvalidInput(Refusal):
    """What came in breaks a rule of its format, schema or profile."""


class TooLarge(InvalidInput):
    """What came in is larger, deeper or slower to read than allowed."""


class TooSlow(InvalidInput):
    """What was to come in did not come in the time that it may take."""


class NotFound(Refusal):
    """There is no such thing, or it is not the asker's to see; the two look the same."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"There is no {kind} {key!r}.", fix=f"Check the id, or list what there is of kind {kind}.")


class Gone(NotFound):
    """There was such a thing; when and why it went is in the message."""

    def __init__(self, kind: str, key: str, said: str) -> None:
        super().__init__(kind, key)
        self.message = f"The {kind} {key!r} is no more: {said}"
        self.args = (self.message,)
        self.fix = None


class IllegalMove(Refusal):
    """The protocol does not allow this message in this state."""


class Conflict(Refusal):
    """It contradicts what is already recorded."""


class Stale(Conflict):
    """Somebody changed it meanwhile: `differences` are the fields that are not as the asker has them.

    Each has `field`, `stored` and `yours`; what is missing on a side is None.
    """

    def __init__(self, message: str, differences: Sequence[Mapping[str, Any]], *, fix: str) -> None:
        reasons = [
            f"{each['field']}: stored is {each['stored']!r}, yours is {each['yours']!r}." for each in differences
        ]
        super().__init__(message, fix=fix, reasons=reasons)
        self.differences = tuple(differences)


class Unauthenticated(Refusal):
    """The asker did not prove who they are."""


class Denied(Refusal):
    """The asker is known and may not; the reasons say why."""


class Busy(Refusal):
    """Not now; the same request may succeed later."""


class PeerFailed(Refusal):
    """Another connector or server did not do its part.

    `retryable` tells whether the same request may succeed later; `status` and `body` are what the other side
    answered, where it answered at all; `after` is a pause that is known to be enough, where one is.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = True,
        status: int | None = None,
        body: bytes = b"",
        after: timedelta | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message, fix=fix)
        self.retryable = retryable
        self.after = after
        self.status = status
        self.body = body
