"""Reference of the crosswalks: which field of which other form is which of ours, and what is lost on the way."""

from collections.abc import Sequence
from types import ModuleType

from connector.standards.crosswalks import READERS, WRITERS, Row, ckan, iso19139, openeo, schema_org, sdmx, stac
from tests.docs.reference.markdown import code, page, section, summary, table

FORMS: tuple[tuple[str, ModuleType], ...] = (
    ("STAC", stac),
    ("openEO", openeo),
    ("ISO 19139", iso19139),
    ("CKAN", ckan),
    ("SDMX structures", sdmx),
    ("schema.org and Croissant", schema_org),
)


def crosswalks() -> str:
    """Return the page of the forms that records come in and go out in."""
    return page(
        "Records in other forms",
        f"""
        `greendeal dataset convert FILE` turns a record of another catalogue into ours, or ours into theirs, and names
        on standard error whatever has no place in the other form, by its place in the document. It reads
        {", ".join(map(code, READERS))} and writes {", ".join(map(code, WRITERS))}, Turtle and our plain form.
        The right column says what is lost in general.
        """,
        *(_form(title, module) for title, module in FORMS),
    )


def _form(title: str, module: ModuleType) -> str:
    rows: Sequence[Row] = module.ROWS
    return section(
        title,
        summary(module),
        table(
            ["Theirs", "Ours", "Lost"],
            (
                [row.theirs, code(row.ours) if row.ours else "—", row.note or ("" if row.ours else "all of it")]
                for row in rows
            ),
        ),
    )
