"""The published JSON schemas of the protocol, for whoever holds a message against them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs


def schemas(folder: Path) -> dict[str, Any]:
    """Return the schemas below `folder` by path, each with its known slip mended.

    Three refer to `…json#definitions/…`, without a slash.
    """
    return {
        path.relative_to(folder).as_posix(): json.loads(
            path.read_text(encoding="utf-8").replace(".json#definitions/", ".json#/definitions/")
        )
        for path in folder.glob("*/*-schema.json")
    }


def registry(found: Mapping[str, Any]) -> jsonschema_rs.Registry:
    """Return what resolves the references of the schemas among each other."""
    return jsonschema_rs.Registry([(each["$id"], each) for each in found.values()])


def validators(found: Mapping[str, Any]) -> dict[str, jsonschema_rs.Draft201909Validator]:
    """Return a validator for each type of message, by its name."""
    known = registry(found)
    return {
        each["title"].removesuffix("Schema"): jsonschema_rs.Draft201909Validator(each, registry=known)
        for name, each in found.items()
        if name != "transfer/data-address-schema.json"  # it has the title of another
    }
