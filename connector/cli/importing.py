"""`greendeal dataset import`: files of many records, with a line for each record."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from connector.cli.output import say
from connector.cli.remote import HERE, ApiKey, Url, space
from connector.errors import InvalidInput

INVALID: Final = 3
ENDINGS: Final = (".jsonl", ".ndjson", ".nq", ".nt", ".ttl", ".trig", ".rdf", ".xml", ".jsonld", ".json")

Places = Annotated[list[Path], typer.Argument(exists=True, help="Files or folders.")]


def add_to(app: typer.Typer) -> None:
    """Add the command to `greendeal dataset`."""
    app.command("import")(bring)


def bring(
    places: Places,
    profile: Annotated[str, typer.Option(help="The profile to hold each record to.")] = "dcat-ap",
    again: Annotated[bool, typer.Option(help="Import a file once more that was imported already.")] = False,
    url: Url = HERE,
    api_key: ApiKey = "",
) -> None:
    """Register the records of catalog dumps (RDF) or of JSON lines; prints a JSON line for each record.

    A command that was broken off is given again: what is registered stays, and the rest follows. Exit code 3 when a
    record was not taken.
    """
    here, refused = space(url, api_key), False
    for path in _files(places):
        run = here.start_import(path, profile, again=again)
        run = here.await_import(run["id"], partial(_progress, path))
        for row in here.import_results(run["id"]):
            refused = refused or row["outcome"] == "invalid"
            sys.stdout.write(json.dumps({"file": str(path), **_told(row)}, ensure_ascii=False) + "\n")
        if run["error"]:
            refused = True
            sys.stdout.write(json.dumps({"file": str(path), "error": run["error"]}, ensure_ascii=False) + "\n")
    if refused:
        raise typer.Exit(INVALID)


def _files(places: list[Path]) -> Iterator[Path]:
    """Yield the files, and those of the folders in the order of their names."""
    for place in places:
        if not place.is_dir():
            yield place
            continue
        found = sorted(each for each in place.rglob("*") if each.is_file() and each.name.lower().endswith(ENDINGS))
        if not found:
            raise InvalidInput("There is no file of records in this folder.", where=str(place))
        yield from found


def _progress(path: Path, seen: dict[str, Any]) -> None:
    total = "?" if seen["total"] is None else f"{seen['total']:,}"
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(seen["counts"].items()))
    say(f"{path.name}: {seen['done']:,} of {total} records{f': {counts}' if counts else ''}")


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """Return a result without what it does not have."""
    told = {"number": row["number"], "id": row["dataset"], "outcome": row["outcome"], "version": row["version"]}
    return {**told, **({"problem": row["problem"]} if row["problem"] else {})}
