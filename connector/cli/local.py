"""Commands on this machine's data folder: make it, serve it, check it."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from connector.cli.output import Form, Output, say, write
from connector.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from connector.capabilities.identity import Identity
    from connector.settings import Settings

Data = Annotated[Path, typer.Option("--data", envvar="GREENDEAL_DATA", help="The connector's data folder.")]
FOLDER: Final = Path("greendeal-data")
SWITCH_SECONDS: Final = 0.0005
"""How long a thread may run Python while another waits. Whoever holds the database's write lock is a thread too: with
the usual 5 ms it would hold it for that long at each of its statements."""
ROLES: Final = ["admin", "provider", "consumer", "business"]

ledger = typer.Typer(help="The chain of evidence.", no_args_is_help=True)
keys = typer.Typer(help="Keys to the connector's API.", no_args_is_help=True)
database = typer.Typer(help="The database.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(init)
    app.command()(serve)
    app.command()(demo)
    app.command()(reindex)
    app.add_typer(ledger, name="ledger")
    app.add_typer(keys, name="key")
    app.add_typer(database, name="db")


def init(
    participant: Annotated[str, typer.Option(help="IRI of this participant, such as did:web:weather.example.")],
    name: Annotated[str, typer.Option(help="Name shown to people.")],
    data: Data = FOLDER,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
    public_url: Annotated[str, typer.Option(help="Address others use; empty: http://host:port.")] = "",
    database_url: Annotated[str, typer.Option(help="SQLAlchemy URL; empty: SQLite in the data folder.")] = "",
    loopback: Annotated[
        bool, typer.Option(help="Speak plain HTTP to peers on this machine; to try things out.")
    ] = False,
    open_reading: Annotated[bool, typer.Option(help="Open /search and /sparql to everyone.")] = False,
    output: Output = Form.TABLE,
) -> None:
    """Make a data folder: settings, key and database; prints the first API key, once."""
    from connector.settings import FILE, load, written  # noqa: PLC0415 - see the package

    path = data / FILE
    if path.exists():
        raise Conflict("There is a connector in this folder already.", where=str(path), fix="Choose another folder.")
    values = {
        "participant": participant,
        "name": name,
        "server": {"host": host, "port": port, "public_url": public_url},
        "storage": {"database": database_url},
        "outbound": {"allow_http": loopback, "allow_loopback": loopback},
        "reading": {"open": open_reading},
    }
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(written(values, data, str(path)), encoding="utf-8")
    try:
        settings = load(data, os.environ)
        made = _identity(settings).create_key("operator", ROLES)
    except BaseException:
        path.unlink()
        raise
    answer = {"participant": participant, "folder": str(data), "address": settings.public_url, "api_key": made.secret}
    write(answer, output)


def serve(data: Data = FOLDER) -> None:
    """Run the connector until it is stopped."""
    import uvicorn  # noqa: PLC0415 - see the package

    from connector import app  # noqa: PLC0415 - see the package
    from connector.settings import load  # noqa: PLC0415 - see the package

    settings = load(data, os.environ)
    app.configure_logging(settings.log_level)
    sys.setswitchinterval(SWITCH_SECONDS)
    settings, door = app.open_data_door(settings)
    connector = app.build(settings)
    say(f"{settings.name} serves at {settings.public_url}")
    with app.data_worker(connector, door, os.environ):
        uvicorn.run(
            app.web(connector),
            host=settings.server.host,
            port=settings.server.port,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=10,
            access_log=False,
        )


def demo(
    keep: Annotated[bool, typer.Option(help="Leave the connectors running.")] = False,
    chaos: Annotated[bool, typer.Option(help="Kill a connector at each of ten random steps.")] = False,
    db: Annotated[str, typer.Option(help="sqlite or postgresql.")] = "sqlite",
    seed: Annotated[
        int | None, typer.Option(help="Choose the random steps; printed by every run with --chaos.")
    ] = None,
    runs: Annotated[
        int | None, typer.Option(min=1, help="Play so many times, and count the runs that end with the same table.")
    ] = None,
) -> None:
    """Show the main job: five connectors publish, find, negotiate, pull and open real data."""
    from connector.demo.story import run  # noqa: PLC0415 - see the package

    raise typer.Exit(run(keep=keep, chaos=chaos, db=db, seed=seed, runs=runs))


def reindex(data: Data = FOLDER, output: Output = Form.TABLE) -> None:
    """Make search index and RDF store anew from the records; the connector must not be running."""
    from connector import app  # noqa: PLC0415 - see the package

    connector = app.build(_settings(data))
    try:
        write({"records": connector.search.reindex()}, output)
    finally:
        connector.close()


@ledger.command("verify")
def verify_ledger(data: Data = FOLDER, output: Output = Form.TABLE) -> None:
    """Check that nothing in the chain of evidence was changed, removed or moved."""
    import msgspec  # noqa: PLC0415 - see the package

    from connector import app  # noqa: PLC0415 - see the package
    from connector.storage.ledger import verify  # noqa: PLC0415 - see the package

    settings = _settings(data)
    store = app.open_database(settings)
    check = app.check_heads(app.open_identity(settings, store))
    report = verify(store, settings.participant, check=check)
    write(msgspec.to_builtins(report), output)
    if not report.ok:
        raise InvalidInput(f"The evidence does not hold: {report.reason}", where=f"seq {report.first_bad_seq}")


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="Whose key it is.")],
    role: Annotated[list[str], typer.Option(help="provider, consumer, business or admin; may be repeated.")],
    data: Data = FOLDER,
    output: Output = Form.TABLE,
) -> None:
    """Make an API key and print it, once."""
    made = _identity(_settings(data)).create_key(name, role)
    write({"id": made.id, "name": name, "roles": role, "api_key": made.secret}, output)


@keys.command("list")
def list_keys(data: Data = FOLDER, output: Output = Form.TABLE) -> None:
    """List the API keys; the keys themselves are not kept."""
    from dataclasses import asdict  # noqa: PLC0415 - see the package

    write([asdict(key) for key in _identity(_settings(data)).list_keys()], output)


@keys.command("revoke")
def revoke_key(key: Annotated[str, typer.Argument(help="The key's id.")], data: Data = FOLDER) -> None:
    """End an API key at once."""
    _identity(_settings(data)).revoke_key(key)
    say(f"The key {key} is revoked.")


@database.command("upgrade")
def upgrade(data: Data = FOLDER) -> None:
    """Bring the database to this version's schema."""
    from connector import app  # noqa: PLC0415 - see the package

    app.open_database(_settings(data)).close()
    say("The database is up to date.")


def _settings(data: Path) -> "Settings":
    from connector.settings import load  # noqa: PLC0415 - see the package

    return load(data, os.environ)


def _identity(settings: "Settings") -> "Identity":
    from connector import app  # noqa: PLC0415 - see the package

    return app.open_identity(settings, app.open_database(settings))
