"""`greendeal dataset …`: register, list, withdraw."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from connector.cli import converting, drafting, validating, watching
from connector.cli.given import Files
from connector.cli.output import Form, Output, say, write
from connector.cli.remote import HERE, ApiKey, Url, space

LISTED: Final = ["id", "title", "version", "updated"]

datasets = typer.Typer(help="Datasets: from file to published record.", no_args_is_help=True)
drafting.add_to(datasets)
validating.add_to(datasets)
converting.add_to(datasets)
watching.add_to(datasets)


@datasets.command()
def register(
    files: Files,
    profile: Annotated[str, typer.Option(help="The profile to hold the records to.")] = "dcat-ap",
    url: Url = HERE,
    api_key: ApiKey = "",
    output: Output = Form.TABLE,
) -> None:
    """Publish records; a distribution whose SHA-256 is that of an uploaded file is delivered by the connector."""
    here = space(url, api_key)
    done = [here.register(_content(path), profile) for path in files]
    write([{"id": each["id"], "version": each["version"], "files": each["files"]} for each in done], output)


@datasets.command("list")
def listed(url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """List the published records."""
    write(space(url, api_key).connection.get("/api/datasets"), output, LISTED)


@datasets.command()
def withdraw(
    key: Annotated[str, typer.Argument(help="The dataset's IRI.")], url: Url = HERE, api_key: ApiKey = ""
) -> None:
    """Take a dataset out of the catalog."""
    space(url, api_key).connection.post("/api/datasets/withdraw", {"id": key})
    say(f"{key} is withdrawn.")


def _content(path: Path) -> dict[str, Any] | bytes:
    """Return a record for the SDK: JSON in plain form, anything else as Turtle."""
    from connector.standards import rdf  # noqa: PLC0415 - see the package

    if path.suffix == ".json":
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found
    form = rdf.Format.of(path.name)
    return rdf.serialise(rdf.parse(path.read_bytes(), form), rdf.Format.TURTLE)
