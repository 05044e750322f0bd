"""The page of the file formats: which are read, and what is said of a file."""

from typing import Final

from connector.formats import registry
from tests.docs.reference.markdown import code, page, section, table

PRINTED: Final = {
    "file": "the name that was given",
    "kind": "`dataset`, `series`, or what a file without data of its own is: `structure`, `metadata`, `footer`",
    "title": "the file's own, else the words for its main variable and the institution; never the name of the file",
    "bbox": """[west, south, east, north] in degrees (OGC:CRS84), to the edges of the cells; west > east across the
    180th meridian""",
    "crs": "`EPSG:n`, `OGC:CRS84`, or the words of the file",
    "temporal": """`start` and `end`, the first and the last instant that the data cover, by their bounds or else by
    their coordinates, ISO 8601 in the file's own calendar; `calendar` where that is not the usual one; statistics keep
    their own periods (`1999-01`, `2019-12`); an `end` that is open is null""",
    "temporalResolution": "the step in time as an ISO 8601 duration, where it is regular",
    "spatialResolution": '`{"metres": n}` or `{"degrees": n}`: the larger of the two sides of a cell',
    "variables": "`name` as the file has it, CF `standard_name`, `units`",
    "dimensions": "their names, in the order of the file",
    "rows": "rows, features or observations",
    "format": "the exact format, with its version",
    "mediaType": "its media type",
    "byteSize": "the size of the file, or of all files of a folder",
    "checksum": "null: a file is not read through for its draft; checksums are made when it is uploaded",
    "licence": "as the file states it; in a record, the term of the EU table where its words name exactly one",
    "warnings": "what the provider should know, in sentences",
    "sources": """of each fact whether it is from the `coordinate`s, an `attribute` that the file states, a
    `default`, or the `provider`; coordinates win over attributes, and a difference is a warning""",
}


def formats() -> str:
    """Return the page of the file formats."""
    rows = [
        [each.title, code(each.name), code(each.media_type), ", ".join(map(code, each.suffixes)), code(each.extra)]
        for each in registry.BUILT_IN
    ]
    facts = [[code(name), " ".join(words.split())] for name, words in PRINTED.items()]
    return page(
        "File formats",
        """
        A file of one of these formats describes itself: `greendeal dataset draft FILE` prints what it says, and
        `greendeal dataset upload FILE` drafts its record. A format is recognised by the first bytes of the file, by its
        name only where they say nothing. Each may be compressed with gzip. Files of any other format can be shared too,
        with a record written by hand.

        The file is read in a process of its own, with limits on memory, time and output, and without network. Where the
        format has a header, no more is read than that and the coordinates; others are read through.
        """,
        table(["Format", "Name", "Media type", "Endings", "Extra to install"], rows),
        "Further formats are [added by an entry point](../how-to/extend.md).",
        section(
            "What is printed of a file",
            """
            `greendeal dataset draft` prints one JSON object for each file, and `POST /api/drafts` has it as `draft`
            beside the record. What the file does not say is null, and `warnings` says so.
            """,
            table(["Field", "What it says"], facts),
        ),
        section(
            "A folder or a pattern",
            """
            A folder that is one dataset (a Zarr store, a SAFE product) is one file. Any other folder stands for the
            files below it, a pattern for those it matches, and both give one line of kind `series`: box and period are
            the smallest that hold those of all members, variables and dimensions those that all have, `byteSize` and
            `rows` their sums. Every other fact is given where all agree, else it is null and a warning names what
            differs. Files that cannot be read, or only describe data, are named in a warning and left out. In a record,
            a series is a `dcat:DatasetSeries`.
            """,
        ),
    )
