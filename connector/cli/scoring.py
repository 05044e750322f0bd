"""`greendeal dataset quality`: the score of records, here or at a connector, and what to do for more points."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from connector.cli.output import Form, write
from connector.cli.remote import HERE, ApiKey, Url, space
from connector.errors import InvalidInput

TURTLE: Final = "turtle"
COLUMNS: Final = ["file", "id", "points", "max", "rating"]


def add_to(app: typer.Typer) -> None:
    """Add the command to `greendeal dataset`."""
    app.command()(quality)


def quality(
    what: Annotated[
        list[str] | None,
        typer.Argument(help="Files with a record, or IRIs of published datasets; none: the whole catalog."),
    ] = None,
    language: Annotated[str, typer.Option(help="Of the words: en, de or fr.")] = "en",
    url: Url = HERE,
    api_key: ApiKey = "",
    output: Annotated[str, typer.Option("--output", "-o", help="table, json, jsonl, yaml or turtle (DQV).")] = "table",
) -> None:
    """Score records by the metadata quality assessment of data.europa.eu: 405 points, and what to do for more.

    The addresses in a file are not asked; those of a published record are as they last answered.
    """
    if output not in {*Form, TURTLE}:
        raise typer.BadParameter("choose table, json, jsonl, yaml or turtle", param_hint="--output")
    if not what:
        _catalog(url, api_key, language, output)
        return
    for name in what:
        if output == TURTLE:
            sys.stdout.write(_turtle(name, url, api_key).decode())
    if output == TURTLE:
        return
    scores = [_score(name, url, api_key, language) for name in what]
    if output != Form.TABLE:
        write(scores, Form(output))
        return
    write(scores, Form.TABLE, COLUMNS)
    for each in scores:
        sys.stdout.write(f"\n{each['file'] or each['id']}\n")
        for fix in each["fixes"]:
            sys.stdout.write(f"+{fix['points']:>2}  {fix['label']}: {fix['words']}\n     {fix['example']}\n")


def _catalog(url: str, api_key: str, language: str, output: str) -> None:
    if output == TURTLE:
        sys.stdout.buffer.write(space(url, api_key).catalog_quality_measurements())
        return
    found = space(url, api_key).catalog_quality(language)
    if output != Form.TABLE:
        write(found, Form(output))
        return
    sys.stdout.write(f"{found['points']:g} of {found['max']} points: {found['rating'] or 'no dataset'}\n\n")
    write(found["indicators"], Form.TABLE, ["metric", "passing", "population", "points", "max"])


def _score(name: str, url: str, api_key: str, language: str) -> dict[str, Any]:
    """Return the score of a file or of a published dataset."""
    import msgspec  # noqa: PLC0415 - see the package

    if not Path(name).is_file():
        return {"file": None, **space(url, api_key).quality(name, language)}
    return {"file": name, **msgspec.to_builtins(_assessed(name).score(language))}


def _turtle(name: str, url: str, api_key: str) -> bytes:
    from connector.standards import rdf  # noqa: PLC0415 - see the package
    from connector.standards.dcat.dqv import measurements  # noqa: PLC0415 - see the package

    if not Path(name).is_file():
        return space(url, api_key).quality_measurements(name)
    moment = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return rdf.serialise(measurements(_assessed(name).score(), moment), rdf.Format.TURTLE)


def _assessed(name: str) -> Any:
    """Return what the indicators see in a file's record."""
    from connector.capabilities.datasets import parse_record  # noqa: PLC0415 - see the package
    from connector.standards import rdf  # noqa: PLC0415 - see the package
    from connector.standards.dcat import shacl  # noqa: PLC0415 - see the package
    from connector.standards.dcat.quality import Assessment  # noqa: PLC0415 - see the package

    path = Path(name)
    media_type = "application/json" if path.suffix == ".json" else rdf.Format.of(path.name).media_type
    try:
        subject, triples = parse_record(path.read_bytes(), media_type)
    except InvalidInput as refusal:
        refusal.where = f"{name}: {refusal.where}" if refusal.where else name
        raise
    return Assessment(triples, subject, compliant=shacl.check(triples, "dcat-ap").conforms)
