"""Records in other people's forms, to ours and back: STAC, openEO, ISO 19139, CKAN, SDMX, schema.org, Croissant.

    crossed = read(data, "stac", home="https://data.example/datasets")
    crossed.record          # a dcat.model.Dataset
    crossed.lost            # what the document says and the record does not

House rules of this package:

1. What a document says in our terms is carried over; what is only near to one of our terms is not.
2. Whatever was not read is listed in `lost`, by its place in the document: nothing is dropped in silence.
3. No IRI is made up: a licence, a format, a theme or a role is one of a shipped vocabulary, or stays words.

`docs/reference/crosswalks.md` is written from the `ROWS` of each module.
"""

from connector.standards.crosswalks.forms import READERS, WRITERS, read, recognise, write
from connector.standards.crosswalks.values import Crossed, Row, Written

__all__ = ["READERS", "WRITERS", "Crossed", "Row", "Written", "read", "recognise", "write"]
