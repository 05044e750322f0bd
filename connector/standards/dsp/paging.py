"""Pages of a catalog: the `Link` header of RFC 8288 with the relations `next` and `previous` (clause 5.3.4)."""

import re
from typing import Final
from urllib.parse import urljoin

_LINK: Final = re.compile(r"<([^<>]*+)>((?:[^\",<]++|\"(?:[^\"\\]++|\\.)*+\"?)*)")
_PARAMETER: Final = re.compile(r";\s*+([\w*]++)\s*+=\s*+(?:\"((?:[^\"\\]++|\\.)*+)\"|([^\s;,\"]++))")


def next_link(header: str | None, base: str = "") -> str | None:
    """Return the address of the next page, or None when this is the last one.

    Args:
        header: the `Link` header; several of them joined by commas.
        base: address of the page that carried it, which a relative link is resolved against.
    """
    for target, parameters in _LINK.findall(header or ""):
        # Only the first `rel` of a link counts (RFC 8288, 3.3); it may hold several relations.
        for name, quoted, token in _PARAMETER.findall(parameters):
            if name.lower() == "rel":
                if "next" in (quoted or token).lower().split():
                    return str(urljoin(base, target))
                break
    return None


def link(*, next: str | None = None, previous: str | None = None) -> str | None:  # noqa: A002 - the relation's name
    """Return the `Link` header of a page; None for the only one. `prev` is what some peers look for."""
    links = [f'<{next}>; rel="next"'] if next else []
    if previous:
        links.append(f'<{previous}>; rel="previous prev"')
    return ", ".join(links) or None
