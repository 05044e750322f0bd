"""Reading foreign XML: no entities, no network, no document type, no matter how it is encoded. Runs in the child.

A document type declaration is refused whatever it declares: none of the formats read here has a use for one, and every
XML bomb does.
"""

import io
from collections.abc import Iterator
from typing import IO, Any, Final

from lxml import etree

from connector.errors import InvalidInput

Element = etree._Element  # noqa: SLF001 - lxml has no public name for its element type
CUT: Final = "The file is not well-formed XML; it may be cut off."
GUARDS: Final[dict[str, Any]] = {
    "resolve_entities": False,
    "load_dtd": False,
    "no_network": True,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def events(file: IO[bytes]) -> Iterator[tuple[str, Element, str]]:
    """Yield (start or end, element, local name) as the file streams by; an element is emptied after its end.

    Raises:
        InvalidInput: it is not well-formed, with the line in `where`, or has a document type declaration.
    """
    walk = etree.iterparse(file, events=("start", "end"), **GUARDS)
    first = True
    try:
        for event, element in walk:
            if first:
                first = False
                _refuse_doctype(element)
            yield event, element, local(element)
            if event == "end":
                _forget(element)
    except etree.XMLSyntaxError as error:
        raise InvalidInput(CUT, where=f"line {error.lineno}") from error


def document(raw: bytes, name: str) -> Element:
    """Return the root of a small document; `name` is what refusals call it.

    Raises:
        InvalidInput: it is not well-formed or has a document type declaration.
    """
    try:
        root: Element = etree.parse(io.BytesIO(raw), etree.XMLParser(**GUARDS)).getroot()
    except etree.XMLSyntaxError as error:
        raise InvalidInput(
            f"{name} is not well-formed XML; it may be cut off.", where=f"{name}, line {error.lineno}"
        ) from error
    _refuse_doctype(root)
    return root


def local(element: Element) -> str:
    """Return the name of an element without its namespace; empty for what is no element."""
    # By hand: the parser of names in lxml stumbles over what a file that is cut off ends with.
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def namespace(element: Element) -> str:
    """Return the namespace of an element, empty text for none."""
    return element.tag.rpartition("}")[0][1:] if isinstance(element.tag, str) else ""


def _refuse_doctype(element: Element) -> None:
    if element.getroottree().docinfo.doctype:
        raise InvalidInput(
            "The file has a document type declaration, which formats of this kind do not use.", fix="Remove it."
        )


def _forget(element: Element) -> None:
    # Nothing is read from an ended element later. Its empty shell would still count, so the older siblings go.
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
