"""`greendeal dataset validate`: records held to a profile."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from connector.cli.given import Files
from connector.cli.output import Form, Output, write
from connector.errors import InvalidInput, Refusal

INVALID: Final = 3


def add_to(app: typer.Typer) -> None:
    """Add the commands to `greendeal dataset`."""
    app.command()(validate)


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
