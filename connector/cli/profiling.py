"""`greendeal profile …`: what records are held to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector.cli.local import FOLDER, Data
from connector.cli.output import Form, Output, say, write

if TYPE_CHECKING:
    from connector.capabilities.validation import Validation
    from connector.standards.dcat.shacl import ShapeSet

profiles = typer.Typer(help="Profiles: what records are held to.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The profile's name.")]


@profiles.command("list")
def listed(data: Data = FOLDER, output: Output = Form.TABLE) -> None:
    """List the profiles, those that ship and those that were added."""
    shelf = _validation(data).shelf
    added = shelf.added()
    rows = [
        {"name": name, "title": found.title, "version": found.version, "from": "added" if name in added else "shipped"}
        for name in shelf.names()
        for found in [shelf.get(name)]
    ]
    write(rows, output)


@profiles.command()
def show(name: Name, data: Data = FOLDER, output: Output = Form.TABLE) -> None:
    """Show a profile: its levels, what it includes, and who judges by its shapes."""
    from connector.standards.dcat.shacl import checker  # noqa: PLC0415 - see the package

    shelf = _validation(data).shelf
    found = shelf.get(name)
    write(
        {
            "name": name,
            "title": found.title,
            "version": found.version,
            "source": found.source,
            "licence": found.licence,
            "includes": list(found.includes),
            "levels": [_level(each) for each in checker(name, shelf).sets],
        },
        output,
    )


@profiles.command()
def add(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder with profile.toml and shapes.")],
    data: Data = FOLDER,
) -> None:
    """Add a profile, or a new version of one that was added; its shapes are checked first."""
    sets = _validation(data).add(folder)
    say(f"The profile {sets[0].profile if sets else folder.name} is added.")
    for each in sets:
        for reason in each.reasons:
            say(f"{each.level}: judged by pySHACL only, since {reason}.")


@profiles.command()
def remove(name: Name, data: Data = FOLDER) -> None:
    """Remove a profile that was added."""
    _validation(data).remove(name)
    say(f"The profile {name} is removed.")


def _validation(data: Path) -> "Validation":
    from connector.capabilities.validation import Validation  # noqa: PLC0415 - see the package

    return Validation.open(data)


def _level(each: "ShapeSet") -> dict[str, Any]:
    return {
        "name": each.level,
        "gate": each.gate,
        "classes": None if each.compiled is None else len(each.compiled.classes),
        "judge": "pySHACL only" if each.compiled is None else "compiled, pySHACL on refusal",
    }
