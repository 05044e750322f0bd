"""The tests' own walls: nothing reaches beyond this machine, loopback and local sockets work."""

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pytest_socket import SocketConnectBlockedError

BEYOND = "192.0.2.1"
"""An address that is nobody's (RFC 5737): should a wall be missing, no stranger is called."""


def test_a_socket_out_is_refused() -> None:
    """No test depends on, or talks to, another machine."""
    with socket.socket() as out, pytest.raises(SocketConnectBlockedError):
        out.connect((BEYOND, 80))


def test_asyncio_out_is_refused() -> None:
    """Streams go through the same wall."""

    async def call() -> None:
        await asyncio.open_connection(BEYOND, 80)

    with pytest.raises(SocketConnectBlockedError):
        asyncio.run(call())


def test_the_http_client_out_is_refused() -> None:
    """So does the library our own client stands on."""

    async def call() -> None:
        async with aiohttp.ClientSession() as session:
            await session.get(f"http://{BEYOND}/")

    with pytest.raises((SocketConnectBlockedError, aiohttp.ClientConnectionError)):
        asyncio.run(call())


def test_http_on_this_machine_works() -> None:
    """Two connectors in one test reach each other."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="here")

    async def conversation() -> str:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        try:
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as response:
                return await response.text()
        finally:
            await runner.cleanup()

    assert asyncio.run(conversation()) == "here"


def test_sockets_in_the_file_system_work(tmp_path: Path) -> None:
    """Database servers of the tests listen there."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
