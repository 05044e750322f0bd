"""The `greendeal` command: a noun and a verb, answers on standard output, refusals on standard error.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a record or file is not valid, 4 denied by a policy or a missing right,
5 only a part could be done, 6 not done in time. Command bodies import what they need, so that `--help` is quick.
"""

import sys
from typing import Final

import typer

from connector.cli import contracts, local, profiling, records, space
from connector.cli.output import problem
from connector.errors import Busy, Denied, InvalidInput, Refusal, Unauthenticated

FAILED, INVALID, DENIED, LATE = 1, 3, 4, 6

EXIT: Final[tuple[tuple[type[Refusal], int], ...]] = (
    (InvalidInput, INVALID),
    (Denied, DENIED),
    (Unauthenticated, DENIED),
    (Busy, LATE),
)

app = typer.Typer(
    name="greendeal",
    help="A data space connector and catalog for Green Deal data.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
local.add_to(app)
app.add_typer(records.datasets, name="dataset")
app.add_typer(profiling.profiles, name="profile")
app.add_typer(contracts.offers, name="offer")
app.add_typer(contracts.negotiations, name="negotiate")
app.add_typer(contracts.agreements, name="agreement")
app.add_typer(contracts.transfers, name="transfer")
app.add_typer(space.peers, name="peer")
space.add_to(app)


def main() -> None:
    """Run the command; a refusal becomes its text on standard error and an exit code."""
    try:
        app()
    except Refusal as refusal:
        sys.stderr.write(problem(refusal))
        sys.exit(next((code for kind, code in EXIT if isinstance(refusal, kind)), FAILED))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in {"", "connector"}:
            raise
        fix = "pip install 'greendeal-connector[all]'"
        sys.stderr.write(problem(Refusal(f"This needs {package}, which is not installed.", fix=f"Run {fix}.")))
        sys.exit(FAILED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(FAILED)
