"""Own API: hold a record, or any other graph, to a profile; nothing is kept."""

from typing import Annotated, Final

import msgspec
from litestar import Controller, Response, post
from litestar.params import FromQuery, HeaderParameter, RawBody
from litestar.status_codes import HTTP_200_OK

from connector.capabilities.datasets import DEFAULT_PROFILE
from connector.capabilities.validation import Validation
from connector.errors import InvalidInput
from connector.standards.dcat.shacl import forms, intake
from connector.standards.dcat.shacl.report import Report, unread
from connector.standards.dcat.shacl.sentences import language_of
from connector.standards.rdf import Format
from connector.web.accept import best
from connector.web.auth import needs
from connector.web.given import Given, MediaType

JSON: Final = "application/json"
HTML: Final = "text/html"
RDF: Final = {each.media_type: each for each in (Format.TURTLE, Format.JSON_LD, Format.RDF_XML, Format.N_TRIPLES)}
BASE: Final = "http://record.example/"
"""What relative IRIs in a record without a base are resolved against (RFC 2606 name)."""

Accept = Annotated[str, HeaderParameter(name="accept")]
AcceptLanguage = Annotated[str, HeaderParameter(name="accept-language")]


class ValidationController(Controller):
    """Records that are checked and not kept."""

    path = "/api"
    tags = ("datasets",)

    @post("/validate", status_code=HTTP_200_OK, guards=[needs()], sync_to_thread=True)
    def validate(
        self,
        body: RawBody,
        validation: Given[Validation],
        content_type: MediaType,
        profile: FromQuery[str] = DEFAULT_PROFILE,
        level: FromQuery[str] = "structure",
        accept: Accept = "",
        accept_language: AcceptLanguage = "",
    ) -> Response[bytes]:
        """Check a record: a report as JSON, as a fragment of HTML, or as SHACL has it in RDF."""
        form = best(accept or None, [JSON, HTML, *RDF])
        kind = Format.of(content_type).media_type
        validation.shelf.get(profile)
        try:
            triples = intake.read(body, kind, base=BASE)
        except InvalidInput as refusal:
            if form != JSON:
                raise
            document = unread(profile, refusal, intake.told(refusal))
            return Response(msgspec.json.encode(document), media_type=JSON)
        report = validation.check(triples, profile, upto=level, language=language_of(accept_language))
        return Response(_written(report, form), media_type=form, headers={"Content-Language": report.language})


def _written(report: Report, form: str) -> bytes:
    if form == JSON:
        return report.json()
    if form == HTML:
        return forms.html(report).encode()
    return forms.validation_report(report, RDF[form])
