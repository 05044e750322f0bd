"""Who is speaking, as Eclipse EDC's mock identity says it: the `Authorization` header is a bare JSON object.

Anybody can claim to be anybody with it, so it exists only here: nothing of `tests` is installed.
"""

import json
from dataclasses import dataclass
from typing import Final

from connector.capabilities.identity import Context, Principal
from connector.errors import Unauthenticated

REGION: Final = "eu"


@dataclass(frozen=True)
class MockJson:
    """An authenticator and prover of the plug point `connector.identity`."""

    def authenticate(self, authorization: str, context: Context) -> Principal | None:
        """Believe the `clientId`, if it is a peer that we know."""
        if not authorization.startswith("{"):
            return None
        try:
            claimed = json.loads(authorization)
        except ValueError:
            raise Unauthenticated("The header is no JSON object.") from None
        peer = context.peer(str(claimed.get("clientId")))
        if peer is None:
            raise Unauthenticated("The client is no peer of ours.")
        return Principal(participant=peer.id, kind="peer", name=peer.name)

    def prove(self, peer: str, context: Context) -> str | None:
        """Say who we are; EDC answers 500 where the region is missing."""
        return header(context.participant, peer)


def header(client: str, audience: str) -> str:
    """Return the header with which `client` speaks to `audience`."""
    return json.dumps({"region": REGION, "audience": audience, "clientId": client})
