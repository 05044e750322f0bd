"""The connector that a command speaks to."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from connector.client import Space

Url = Annotated[str, typer.Option("--url", envvar="GREENDEAL_URL", help="Address of the connector.")]
ApiKey = Annotated[
    str, typer.Option("--api-key", envvar="GREENDEAL_API_KEY", help="Key to its API; better given as a variable.")
]
HERE = "http://127.0.0.1:8080"


def space(url: str, api_key: str) -> "Space":
    """Return the data space behind the connector at `url`."""
    from connector.client import connect  # noqa: PLC0415 - HTTP is loaded when it is used

    return connect(url, api_key or None, patience=10.0)
