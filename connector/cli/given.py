"""Arguments that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Files = Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="One or several files.")]
