"""Links in the documentation lead somewhere, and every page is reached by one."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.architecture.project import ROOT, files, named
from tests.docs.pages import pages

FENCED = re.compile(r"^ *(```+).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#+ +(.*?) *#*$", re.MULTILINE)


def links(text: str) -> list[str]:
    """Return the targets of all links on the page `text`, code left out."""
    return [inline or reference for inline, reference in LINK.findall(CODE.sub("", FENCED.sub("", text)))]


def anchors(text: str) -> set[str]:
    """Return the fragments that headings of the page `text` answer to."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(FENCED.sub("", text)))
    return {heading.replace(" ", "-") for heading in plain}


def dead(page: Path) -> Iterator[str]:
    """Yield every link of `page` that leads nowhere within the project."""
    text = page.read_text(encoding="utf-8")
    for link in links(text):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if not target.exists():
            yield f"{link}: no such file"
        elif ROOT not in [target, *target.parents]:
            yield f"{link}: outside the project"
        elif parts.fragment and target.suffix == ".md" and parts.fragment not in anchors(target.read_text("utf-8")):
            yield f"{link}: no such heading"


@pytest.mark.parametrize("page", pages(), ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    """A reader never lands on nothing."""
    assert list(dead(page)) == []


def test_every_page_is_reached() -> None:
    """A page that nothing links to is read by nobody."""
    known, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in known or page.suffix != ".md":
            continue
        known.add(page)
        for link in links(page.read_text(encoding="utf-8")):
            parts = urlsplit(link)
            target = (page.parent / unquote(parts.path)).resolve()
            if not parts.scheme and parts.path:
                waiting += target.glob("*.md") if target.is_dir() else [target] if target.is_file() else []
    assert {named(page) for page in files() if page.suffix == ".md" and named(page).startswith("docs/")} - set(
        map(named, known)
    ) == set()


def test_dead_links_are_noticed(tmp_path: Path) -> None:
    """The check itself sees what it is there for."""
    page = ROOT / "docs" / "README.md"
    assert links("[a](b.md) ![c](d.png) `[e](f)`\n```text\n[g](h)\n```\n[i]: j.md\n") == ["b.md", "d.png", "j.md"]
    assert anchors("# One `two`, three!\n```sh\n# no\n```\n## Ünder_score\n") == {"one-two-three", "ünder_score"}
    (tmp_path / "p.md").write_text("[a](gone.md) [b](#nowhere) [c](https://elsewhere.example)")
    assert len(list(dead(tmp_path / "p.md"))) == 2
    assert page.is_file()
