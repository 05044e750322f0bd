"""Who is asking: API keys on our own API, proofs of identity on the protocol's routes.

A route states what it needs as a guard; a route without one is open, and `tests/web` knows each of those by name.
"""

import asyncio
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from connector.capabilities.identity import Identity, Principal
from connector.errors import Denied

Connection = ASGIConnection[Any, Any, Any, Any]

ROLES = ("provider", "consumer", "business", "admin")


def needs(*roles: str) -> Guard:
    """Return a guard that lets in keys with one of `roles`; `admin` may do everything, no role named means any key."""

    async def guard(connection: Connection, _: BaseRouteHandler) -> None:
        header = connection.headers.get("authorization") or connection.headers.get("x-api-key")
        principal = await asyncio.to_thread(_identity(connection).authenticate_key, header)
        if roles and principal.roles.isdisjoint({*roles, "admin"}):
            raise Denied(
                f"This needs the role {' or '.join(roles)}; the key {principal.name!r} has {_list(principal)}.",
                fix="Use a key with that role: `greendeal key create --role …`.",
            )
        connection.scope["principal"] = principal  # type: ignore[typeddict-unknown-key]

    return guard


async def peer_only(connection: Connection, _: BaseRouteHandler) -> None:
    """Let in peers that prove who they are, each proof once."""
    header = connection.headers.get("authorization")
    principal = await asyncio.to_thread(_identity(connection).authenticate_peer, header)
    connection.scope["principal"] = principal  # type: ignore[typeddict-unknown-key]


def principal_of(scope: Any) -> Principal:
    """Return who passed the guard of this request."""
    found = scope["principal"]
    assert isinstance(found, Principal)  # noqa: S101 - a route that asks for the principal has a guard that set it
    return found


def _identity(connection: Connection) -> Identity:
    identity = connection.app.state["identity"]
    assert isinstance(identity, Identity)  # noqa: S101 - set by the composition root
    return identity


def _list(principal: Principal) -> str:
    return ", ".join(sorted(principal.roles)) or "none"
