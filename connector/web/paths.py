"""Ids in paths: what stands behind a prefix, as the client wrote it."""

from typing import Any
from urllib.parse import unquote


def tail(scope: Any, prefix: str) -> str:
    """Return the rest of the request's path behind `prefix`, decoded once.

    Taken from the raw path, because the router folds `//` into one slash and IRIs have two.
    """
    raw = scope.get("raw_path") or scope["path"].encode()
    return unquote(raw.decode("ascii", "replace").partition(prefix)[2], errors="replace")
