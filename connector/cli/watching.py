"""`greendeal dataset watch`: new files of a folder become datasets."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from connector.cli.output import say
from connector.cli.remote import HERE, ApiKey, Url, space
from connector.errors import Busy, InvalidInput, PeerFailed

INVALID: Final = 3


def add_to(app: typer.Typer) -> None:
    """Add the command to `greendeal dataset`."""
    app.command()(watch)


def watch(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The folder to watch.")],
    template: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="JSON file: record, licence, offer and profile of all files."),
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="Where to write down what is done, if not in the folder.")
    ] = None,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 5.0,
    url: Url = HERE,
    api_key: ApiKey = "",
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when all files are done; exit code 3 if one failed.")
    ] = False,
) -> None:
    """Register each new file of a folder: a JSON line per file. It may be stopped at any time and started again."""
    import msgspec  # noqa: PLC0415 - see the package

    from connector.client.watching import Template, Watch  # noqa: PLC0415 - see the package

    try:
        shared = msgspec.json.decode(template.read_bytes(), type=Template) if template else Template()
    except msgspec.DecodeError as error:
        raise InvalidInput(f"The template cannot be read: {error}.", where=str(template)) from error
    failed = False
    with Watch(space(url, api_key), folder, shared, journal) as watching:
        while True:
            try:
                for outcome in watching.look():
                    failed = failed or outcome.error is not None
                    line = {name: getattr(outcome, name) for name in ("file", "id", "version", "offer", "error")}
                    told = {name: value for name, value in line.items() if value is not None}
                    sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
                    sys.stdout.flush()
            except (PeerFailed, Busy) as no:
                if once:
                    raise
                say(f"{no.message} Trying again in {every:g} s.")
            if once and not watching.waiting:
                break
            time.sleep(every)
    if failed:
        raise typer.Exit(INVALID)
