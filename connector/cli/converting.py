"""`greendeal dataset convert`: records in other people's forms, and ours in theirs."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from connector.cli.given import Files
from connector.cli.output import say
from connector.cli.remote import HERE
from connector.errors import InvalidInput, Refusal

if TYPE_CHECKING:
    from connector.standards.dcat import model

UNREAD: Final = 3
_OURS: Final = ("turtle", "jsonl")


def add_to(app: typer.Typer) -> None:
    """Add the command to `greendeal dataset`."""
    app.command()(convert)


def convert(
    files: Files,
    given: Annotated[
        str, typer.Option("--from", help="stac, openeo, iso19139, sdmx, ckan, dcat; auto looks at the document.")
    ] = "auto",
    output: Annotated[
        str, typer.Option("--output", "-o", help="turtle, jsonl (our plain form), stac, schema.org or croissant.")
    ] = "turtle",
    home: Annotated[str, typer.Option(help="Address under which the datasets will be shown.")] = f"{HERE}/datasets",
) -> None:
    """Turn records of other catalogues into ours, or ours into theirs, and say what is lost (3: no record)."""
    from connector.standards import crosswalks  # noqa: PLC0415 - see the package

    if output not in {*_OURS, *crosswalks.WRITERS}:
        wanted = ", ".join([*_OURS, *crosswalks.WRITERS])
        raise typer.BadParameter(f"choose one of {wanted}", param_hint="--output")
    unread = False
    for path in files:
        try:
            record = _read(path, given, home)
            sys.stdout.write(_written(path, record, output))
        except Refusal as refusal:
            unread = True
            say(f"{path}: {refusal}")
    if unread:
        raise typer.Exit(UNREAD)


def _read(path: Path, form: str, home: str) -> "model.Dataset":
    """Return the record in a file, and say what of it our form has no place for."""
    from connector.standards import crosswalks, rdf  # noqa: PLC0415 - see the package
    from connector.standards.dcat import graph, plain  # noqa: PLC0415 - see the package

    data = path.read_bytes()
    if form == "dcat" or (form == "auto" and _is_ours(path, data)):
        if path.suffix == ".json":
            return plain.from_plain(data)
        return graph.read(rdf.parse(data, rdf.Format.of(path.name)))
    crossed = crosswalks.read(data, crosswalks.recognise(data) if form == "auto" else form, home=home)
    for each in crossed.lost:
        say(f"{path.name}: not carried over: {each}")
    return crossed.record


def _is_ours(path: Path, data: bytes) -> bool:
    """Say whether a file holds a record in RDF or in our plain form."""
    from connector.standards import crosswalks, rdf  # noqa: PLC0415 - see the package

    try:
        crosswalks.recognise(data)
    except InvalidInput:
        return path.suffix == ".json" or any(path.name.endswith(each.extensions) for each in rdf.Format)
    return False


def _written(path: Path, record: "model.Dataset", output: str) -> str:
    from connector.standards import crosswalks, rdf  # noqa: PLC0415 - see the package
    from connector.standards.dcat import graph, plain  # noqa: PLC0415 - see the package

    if output == "turtle":
        return rdf.serialise(graph.write(record), rdf.Format.TURTLE).decode()
    if output == "jsonl":
        return plain.to_plain(record).decode() + "\n"
    written = crosswalks.write(record, output)
    for each in written.lost:
        say(f"{path.name}: no place in {output} for: {each}")
    return json.dumps(written.document, ensure_ascii=False) + "\n"
