"""JSON-LD contexts: the bundled ones, put in place of their IRIs. Nothing is ever fetched.

Rule 1: a context is bundled (`vocab/contexts/`, looked up by its IRI) or stands in the document; any other is refused.
Rule 2: `@import` is for the bundled contexts among themselves.
Rule 3: for messages (`expand`) an inline context may add terms but not bend known prefixes, `@vocab` or `@base`.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, cast

from connector import library
from connector.errors import InvalidInput, TooLarge
from connector.standards.rdf.terms import LIMITS, PREFIXES, Limits


@cache
def contexts() -> Mapping[str, str]:
    """Return the bundled contexts: IRI to file name in `vocab/contexts/`."""
    manifest = tomllib.loads(library.read("vocab", "contexts/MANIFEST.toml").decode())
    return {entry["iri"]: entry["file"] for entry in manifest["context"]}


@cache
def _document(iri: str) -> dict[str, Any]:
    try:
        name = contexts()[iri]
    except KeyError:
        bundled = "; ".join(contexts())
        raise InvalidInput(
            f"The JSON-LD context {iri!r} does not ship with this connector, and contexts are never fetched.",
            where="@context",
            fix=f"Use a bundled context ({bundled}), put the terms into an inline context, or write full IRIs.",
        ) from None
    return cast("dict[str, Any]", json.loads(library.read("vocab", f"contexts/{name}")))


@cache
def _bundled(iri: str) -> Any:
    """Return the content of the bundled context `iri` with every reference inside it resolved."""
    return _resolved(_document(iri)["@context"])


def _resolved(context: Any) -> Any:
    """Resolve what a bundled context imports or names, at every depth (JSON-LD 1.1 §4.1.10, §4.1.9)."""
    if isinstance(context, str):
        return _bundled(context)
    if isinstance(context, list):
        return [_resolved(each) for each in context]
    if not isinstance(context, dict):
        return context
    imported = _bundled(context["@import"]) if "@import" in context else {}
    own = {
        term: {**definition, "@context": _resolved(definition["@context"])}
        if isinstance(definition, dict) and "@context" in definition
        else definition
        for term, definition in context.items()
        if term != "@import"
    }
    return {**imported, **own}


class Inliner:
    """Puts the bundled contexts into one document in place of their IRIs, and counts what stands there."""

    def __init__(self, limits: Limits, *, strict: bool = False) -> None:
        self.limits = limits
        self.strict = strict
        self.seen = 0
        self.replaced = False

    def document(self, value: Any) -> Any:
        """Return `value` with its contexts in place; the caller has checked how deep it is."""
        if isinstance(value, list):
            return [self.document(each) for each in value]
        if not isinstance(value, dict) or value.get("@type") == "@json":  # a JSON literal is data, not JSON-LD
            return value
        return {key: self.context(each) if key == "@context" else self.document(each) for key, each in value.items()}

    def context(self, value: Any) -> Any:
        """Return one `@context` value with the bundled contexts in place.

        Raises:
            InvalidInput: it names an unknown context or bends what may not be bent.
            TooLarge: the document has more contexts, or one has more terms, than allowed.
        """
        self.seen += 1
        if self.seen > self.limits.contexts:
            raise TooLarge(f"The document has more than {self.limits.contexts} JSON-LD contexts.", where="@context")
        if isinstance(value, str):
            self.replaced = True
            return _bundled(value)
        if isinstance(value, list):
            return [self.context(each) for each in value]
        if isinstance(value, dict):
            return self._inline(value)
        return value

    def _inline(self, context: dict[str, Any]) -> dict[str, Any]:
        if len(context) > self.limits.terms:
            raise TooLarge(f"An inline JSON-LD context defines more than {self.limits.terms} terms.", where="@context")
        for term in ("@import", "@vocab", "@base") if self.strict else ("@import",):
            if term in context:
                raise InvalidInput(f"An inline JSON-LD context may not use {term} here.", where=f"@context {term}")
        if self.strict:
            _check_prefixes(context)
        return {
            term: {**definition, "@context": self.context(definition["@context"])}
            if isinstance(definition, dict) and "@context" in definition
            else definition
            for term, definition in context.items()
        }


def _check_prefixes(context: Mapping[str, Any]) -> None:
    """Refuse a context that gives a known prefix another meaning: a reader would see other words than we do."""
    for term, definition in context.items():
        target = definition.get("@id") if isinstance(definition, dict) else definition
        if term in PREFIXES and target != PREFIXES[term]:
            raise InvalidInput(
                f"An inline JSON-LD context gives the prefix {term!r} the meaning {target!r}.",
                where=f"@context {term}",
                fix=f"Leave the prefix out, or bind it to {PREFIXES[term]!r}.",
            )


def expand(document: Any, *, limits: Limits = LIMITS) -> list[dict[str, Any]]:
    """Return the expanded form of a JSON-LD message (JSON-LD 1.1 API §5.1), without a base and without the network.

    Args:
        document: what `json.loads` gives.
        limits: of its nesting and its contexts.

    Raises:
        InvalidInput: it names an unknown context, bends a known prefix, or is no JSON-LD.
        TooLarge: it is deeper or has more contexts than allowed.
    """
    from pyld import jsonld  # noqa: PLC0415 - a third of a second, and rarely needed

    check_depth(document, limits)
    inlined = Inliner(limits, strict=True).document(document)
    try:
        expanded = jsonld.expand(inlined, {"base": None, "documentLoader": load_context})
    except jsonld.JsonLdError as error:
        raise InvalidInput(f"The JSON-LD cannot be expanded: {_root(error)}") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # PyLD trips over odd documents
        raise InvalidInput(f"The JSON-LD cannot be expanded: {error}") from error
    return cast("list[dict[str, Any]]", expanded)


def load_context(iri: str, _options: object = None) -> dict[str, Any]:
    """Answer PyLD's document loader with a bundled context."""
    return {"contentType": "application/ld+json", "contextUrl": None, "documentUrl": iri, "document": _document(iri)}


def _root(error: BaseException) -> str:
    """Return the innermost reason that PyLD gives."""
    while isinstance(cause := getattr(error, "cause", None), Exception):
        error = cause
    detail = getattr(error, "details", None)
    words = str(error.args[0]) if error.args else str(error)
    return f"{words} {detail}" if detail else words


_MORE: Final = object()


def check_depth(document: Any, limits: Limits) -> None:
    """Raise TooLarge when lists and objects lie deeper within one another than `limits.nesting`."""
    stack: list[Iterator[Any]] = [iter((document,))]
    while stack:
        value = next(stack[-1], _MORE)
        if value is _MORE:
            stack.pop()
        elif isinstance(value, dict | list):
            if len(stack) > limits.nesting:
                raise TooLarge(f"The document nests deeper than {limits.nesting} levels.")
            stack.append(iter(value.values() if isinstance(value, dict) else value))
