"""`greendeal peer …`, `search` and `sparql`: the others, and what they share."""

import json
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from connector.cli.output import Form, Output, say, write
from connector.cli.remote import HERE, ApiKey, Url, space

PEER: Final = ["id", "name", "address", "crawl_state", "crawled_at", "crawl_error"]

peers = typer.Typer(help="Other connectors.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands that have no noun."""
    app.command()(search)
    app.command()(sparql)


@peers.command("identity")
def identity(url: Url = HERE, api_key: ApiKey = "", output: Output = Form.JSON) -> None:
    """Show who this connector is, to be handed to the peers that should trust it."""
    write(space(url, api_key).identity(), output)


@peers.command("trust")
def trust(
    file: Annotated[Path, typer.Argument(exists=True, help="What `peer identity` of the other connector printed.")],
    name: Annotated[str, typer.Option(help="Name for people.")],
    country: Annotated[str | None, typer.Option(help="IRI of the country that the peer is in.")] = None,
    url: Url = HERE,
    api_key: ApiKey = "",
) -> None:
    """Trust another connector."""
    space(url, api_key).trust(json.loads(file.read_bytes()), name, country)
    say(f"{name} is trusted.")


@peers.command("list")
def list_peers(url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """List the connectors we trust, and how fresh our copies of their catalogs are."""
    write(space(url, api_key).connection.get("/api/peers"), output, PEER)


@peers.command("crawl")
def crawl(
    peer: Annotated[str, typer.Argument(help="The peer's participant IRI.")],
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the end.")] = 60.0,
    url: Url = HERE,
    api_key: ApiKey = "",
    output: Output = Form.TABLE,
) -> None:
    """Renew our copy of a peer's catalog."""
    say(f"crawling {peer}")
    write(space(url, api_key).crawl(peer, timeout=timeout), output, PEER)


def search(
    q: Annotated[str, typer.Argument(help="Words, all of which must occur.")] = "",
    bbox: Annotated[str | None, typer.Option(help="west,south,east,north in degrees.")] = None,
    begin: Annotated[str | None, typer.Option(help="First moment that the data must touch, ISO 8601.")] = None,
    end: Annotated[str | None, typer.Option(help="Last such moment.")] = None,
    limit: Annotated[int, typer.Option(help="Hits on a page.")] = 20,
    after: Annotated[str | None, typer.Option(help="`next` of the page before.")] = None,
    url: Url = HERE,
    api_key: ApiKey = "",
    output: Output = Form.TABLE,
) -> None:
    """Search own and crawled datasets."""
    query = {"q": q or None, "bbox": bbox, "begin": begin, "end": end, "limit": limit, "after": after}
    page = space(url, api_key).connection.get("/search", **query)
    if output is Form.TABLE:
        write(page["hits"], output, ["title", "origin", "id"])
        say(f"{page['total']} in all" + (f"; continue with --after {page['next']}" if page["next"] else ""))
    else:
        write(page, output)


def sparql(
    query: Annotated[str, typer.Argument(help="A SELECT, or - for standard input.")],
    url: Url = HERE,
    api_key: ApiKey = "",
    output: Output = Form.TABLE,
) -> None:
    """Query own and crawled records; each participant's are a named graph."""
    text = sys.stdin.read() if query == "-" else query
    write(list(space(url, api_key).sparql(text)), output)
