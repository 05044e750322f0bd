"""What ships beside the code: shapes, vocabularies, policies and JSON-LD contexts, read by name.

The folders lie at the top of a checkout and inside the package in a wheel; callers never see the difference.
"""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

Shelf = Literal["vocab", "shapes", "policies"]


@cache
def shelf(name: Shelf) -> Traversable:
    """Return the folder `name`, from the installed package or else from the checkout around it."""
    packaged = files("connector") / name
    return packaged if packaged.is_dir() else Path(__file__).resolve().parent.parent / name


@cache
def read(name: Shelf, path: str) -> bytes:
    """Return the bytes of `path` (with `/` between folders) on the shelf `name`.

    Raises:
        FileNotFoundError: nothing of that name ships with this version.
    """
    return shelf(name).joinpath(*path.split("/")).read_bytes()
