"""`greendeal dataset …`: register, list, versions, withdraw, delete."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from connector.cli import converting, drafting, importing, scoring, validating, watching
from connector.cli.given import Files
from connector.cli.output import Form, Output, say, write
from connector.cli.remote import HERE, ApiKey, Url, space

LISTED: Final = ["id", "title", "version", "updated"]
Key = Annotated[str, typer.Argument(help="The dataset's IRI.")]
Reason = Annotated[str, typer.Option(help="Why; everyone can read it at the dataset's address.")]

datasets = typer.Typer(help="Datasets: from file to published record.", no_args_is_help=True)
drafting.add_to(datasets)
validating.add_to(datasets)
scoring.add_to(datasets)
importing.add_to(datasets)
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
    write([_registered(each) for each in done], output)


@datasets.command("list")
def listed(url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """List the published records."""
    write(space(url, api_key).connection.get("/api/datasets"), output, LISTED)


@datasets.command()
def withdraw(
    key: Key,
    reason: Reason = "",
    url: Url = HERE,
    api_key: ApiKey = "",
) -> None:
    """Take a dataset out of the catalog; published again it comes back."""
    space(url, api_key).withdraw(key, reason)
    say(f"{key} is withdrawn.")


@datasets.command()
def delete(
    key: Key,
    reason: Reason = "",
    url: Url = HERE,
    api_key: ApiKey = "",
) -> None:
    """Delete a dataset for good; what somebody has an agreement on is kept for them."""
    stone = space(url, api_key).delete(key, reason)
    kept = "its versions and files are kept for the agreements" if stone["kind"] == "kept" else "erased"
    say(f"{key} is deleted, {kept}.")


@datasets.command()
def versions(key: Key, url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """List the versions of a dataset, the oldest first."""
    write(space(url, api_key).versions(key), output, ["number", "title", "created", "by", "iri"])


@datasets.command()
def version(
    key: Key,
    number: Annotated[int, typer.Argument(help="Which version.")],
    url: Url = HERE,
    api_key: ApiKey = "",
) -> None:
    """Print the record of one version as it was registered, in N-Triples."""
    sys.stdout.write(space(url, api_key).version(key, number).decode())


def _registered(done: dict[str, Any]) -> dict[str, Any]:
    """Return what became of a registration, in a line."""
    score = done["quality"]
    return {
        "id": done["id"],
        "version": done["version"],
        "files": done["files"],
        "quality": f"{score['points']} of {score['max']}: {score['rating']}",
    }


def _content(path: Path) -> dict[str, Any] | bytes:
    """Return a record for the SDK: JSON in plain form, anything else as Turtle."""
    from connector.standards import rdf  # noqa: PLC0415 - see the package

    if path.suffix == ".json":
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found
    form = rdf.Format.of(path.name)
    return rdf.serialise(rdf.parse(path.read_bytes(), form), rdf.Format.TURTLE)
