"""`greendeal dataset …`: draft, validate, register, list."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from connector.cli.output import Form, Output, say, write
from connector.cli.remote import HERE, ApiKey, Url, space
from connector.errors import InvalidInput, Refusal

INVALID: Final = 3
LISTED: Final = ["id", "title", "version", "updated"]

Files = Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="One or several files.")]

datasets = typer.Typer(help="Datasets: from file to published record.", no_args_is_help=True)


@datasets.command()
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


@datasets.command()
def validate(
    files: Files,
    profile: Annotated[str, typer.Option(help="The profile to hold the records to.")] = "dcat-ap",
    output: Output = Form.TABLE,
) -> None:
    """Check records on this machine; exit code 3 when one does not conform."""
    checked = [_checked(path, profile) for path in files]
    if output is Form.TABLE:
        for each in checked:
            sys.stdout.write(f"{each['file']}\n{each.pop('text')}\n\n")
    else:
        for each in checked:
            del each["text"]
        write(checked, output)
    if not all(each["conforms"] for each in checked):
        raise typer.Exit(INVALID)


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


@datasets.command()
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


def _checked(path: Path, profile: str) -> dict[str, Any]:
    """Return the report on one file; a file that cannot be read is one that does not conform."""
    from connector.capabilities.datasets import parse_record  # noqa: PLC0415 - see the package
    from connector.standards import rdf  # noqa: PLC0415 - see the package
    from connector.standards.dcat import shacl  # noqa: PLC0415 - see the package

    plain = path.suffix == ".json"
    try:
        media_type = "application/json" if plain else rdf.Format.of(path.name).media_type
        report = shacl.check(parse_record(path.read_bytes(), media_type)[1], profile)
    except InvalidInput as refusal:
        return _unread(path, profile, refusal)
    return {
        "file": str(path),
        "profile": profile,
        "parses": True,
        "conforms": report.conforms,
        "results": json.loads(report.json())["results"],
        "text": report.text(),
    }


def _unread(path: Path, profile: str, refusal: Refusal) -> dict[str, Any]:
    finding = {"level": "syntax", "severity": "violation", "message": str(refusal), "fix": refusal.fix}
    return {
        "file": str(path),
        "profile": profile,
        "parses": False,
        "conforms": False,
        "results": [finding],
        "text": str(refusal),
    }


def _content(path: Path) -> dict[str, Any] | bytes:
    """Return a record for the SDK: JSON in plain form, anything else as Turtle."""
    from connector.standards import rdf  # noqa: PLC0415 - see the package

    if path.suffix == ".json":
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found
    form = rdf.Format.of(path.name)
    return rdf.serialise(rdf.parse(path.read_bytes(), form), rdf.Format.TURTLE)
