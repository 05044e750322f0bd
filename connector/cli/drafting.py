"""`greendeal dataset draft` and `upload`: records from data files."""

import sys
from typing import Annotated

import typer

from connector.cli.given import Files
from connector.cli.output import Form, say, write
from connector.cli.remote import HERE, ApiKey, Url, space


def add_to(app: typer.Typer) -> None:
    """Add the commands to `greendeal dataset`."""
    app.command()(draft)
    app.command()(upload)


def draft(
    files: Files,
    home: Annotated[str, typer.Option(help="Address under which the datasets will be shown.")] = f"{HERE}/datasets",
    output: Annotated[str, typer.Option("--output", "-o", help="jsonl or turtle.")] = "jsonl",
) -> None:
    """Draft records from data files on this machine; nothing is sent."""
    from connector.capabilities.drafting import draft as drafted  # noqa: PLC0415 - see the package
    from connector.formats import describe  # noqa: PLC0415 - see the package
    from connector.standards import rdf  # noqa: PLC0415 - see the package
    from connector.standards.dcat import graph, plain  # noqa: PLC0415 - see the package

    if output not in {"jsonl", "turtle"}:
        raise typer.BadParameter("choose jsonl or turtle", param_hint="--output")
    for path in files:
        say(f"reading {path}")
        described = describe(path)
        record = drafted(described, path.name, home=home)
        for note in described.notes:
            say(f"{path.name}: {note}")
        if output == "jsonl":
            sys.stdout.write(plain.to_plain(record).decode() + "\n")
        else:
            sys.stdout.write(rdf.serialise(graph.write(record), rdf.Format.TURTLE).decode())


def upload(
    files: Files, url: Url = HERE, api_key: ApiKey = "", output: Annotated[Form, typer.Option("-o")] = Form.JSONL
) -> None:
    """Upload data files and print the records that they support, to be completed and registered."""
    here = space(url, api_key)
    for path in files:
        drafted = here.draft(path)
        for note in drafted.notes:
            say(f"{path.name}: {note}")
        write(drafted.record, output)
