"""`greendeal dataset validate`: records held to a profile."""

import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from connector.cli.local import FOLDER, Data
from connector.cli.output import Form, Output, put, write
from connector.errors import InvalidInput, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from connector.capabilities.validation import Validation
    from connector.standards.dcat.shacl.report import Report

    Checked = tuple[dict[str, Any], Report | None]

INVALID: Final = 3
REPORTS: Final = ("html", "turtle", "json-ld", "n-triples", "rdf-xml")
MANY: Final = 4
"""Files for which it pays to start pySHACL before it is known whether it will be asked."""
AHEAD: Final = 16
"""Files that are checked before the report on the first of them is printed."""

Files = Annotated[list[str], typer.Argument(help="One or several files: RDF in any of its forms, or plain JSON.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to `greendeal dataset`."""
    app.command()(validate)


def validate(
    files: Files,
    profile: Annotated[str, typer.Option(help="The profile to hold the records to.")] = "dcat-ap",
    level: Annotated[
        str, typer.Option(help="Level up to which findings count: structure, recommendation, vocabulary or range.")
    ] = "structure",
    lang: Annotated[str, typer.Option(help="Language of the report: en, de or fr.")] = "en",
    report: Annotated[
        str, typer.Option(help="Print another form of the reports: html, turtle, json-ld, n-triples or rdf-xml.")
    ] = "",
    data: Data = FOLDER,
    output: Output = Form.TABLE,
) -> None:
    """Check records on this machine; exit code 3 when one does not conform."""
    from connector.capabilities.validation import Validation  # noqa: PLC0415 - see the package
    from connector.standards.dcat.shacl import checker  # noqa: PLC0415 - see the package
    from connector.standards.dcat.shacl.profiles import LEVELS  # noqa: PLC0415 - see the package
    from connector.standards.dcat.shacl.sentences import LANGUAGES  # noqa: PLC0415 - see the package

    validation = Validation.open(data, waiting=3600.0)
    try:
        _as_offered("--profile", profile, validation.shelf.names())
        _as_offered("--level", level, LEVELS)
        _as_offered("--lang", lang, LANGUAGES)
        _as_offered("--report", report or REPORTS[0], REPORTS)
        checker(profile, validation.shelf)
        if len(files) >= MANY:
            validation.start()
        checked = _in_order(lambda file: _checked(validation, file, profile, level, lang), files)
        conform = _printed(checked, report, output)
    finally:
        validation.close()
    if not conform:
        raise typer.Exit(INVALID)


def _as_offered(option: str, value: str, offered: "Iterable[str]") -> None:
    """Refuse what the option does not offer, as a fault of the command line and not of a record."""
    if value not in offered:
        raise typer.BadParameter(f"there is no {value!r}. Use one of: {', '.join(offered)}.", param_hint=option)


def _in_order(check: "Callable[[str], Checked]", files: list[str]) -> "Iterator[Checked]":
    """Yield the reports in the order of the files; while pySHACL judges one, the next ones are read."""
    from concurrent.futures import Future, ThreadPoolExecutor  # noqa: PLC0415 - see the package

    if len(files) < MANY:
        yield from map(check, files)
        return
    with ThreadPoolExecutor(2) as threads:
        waiting: deque[Future[Checked]] = deque()
        for file in files:
            waiting.append(threads.submit(check, file))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _printed(checked: "Iterator[Checked]", form: str, output: Form) -> bool:
    """Print each report as it comes, or all of them where the form is one document; return whether all conform."""
    rows, conform = [], True
    for row, found in checked:
        conform = conform and row["conforms"]
        if form:
            sys.stdout.write(_in_form(row, found, form))
        elif output is Form.TABLE:
            put(f"{row['file']}\n{found.text() if found else row['results'][0]['message']}\n")
        elif output is Form.JSONL:
            write(row, output)
        else:
            rows.append(row)
        sys.stdout.flush()
    if rows:
        write(rows, output)
    return conform


def _in_form(row: dict[str, Any], found: "Report | None", form: str) -> str:
    from connector.standards.dcat.shacl import forms  # noqa: PLC0415 - see the package
    from connector.standards.rdf import Format  # noqa: PLC0415 - see the package

    if form == "html":
        return forms.html(found) if found else forms.unread_html(row["results"][0]["message"])
    if found is None:
        return forms.unread_report(row["results"][0]["message"], Format.of(form)).decode()
    return forms.validation_report(found, Format.of(form)).decode()


def _checked(validation: "Validation", file: str, profile: str, level: str, lang: str) -> "Checked":
    """Return the report on one file; a file that cannot be read is one that does not conform."""
    from connector.standards.dcat.shacl import intake  # noqa: PLC0415 - see the package
    from connector.standards.dcat.shacl.report import unread  # noqa: PLC0415 - see the package
    from connector.standards.dcat.shacl.sentences import language_of  # noqa: PLC0415 - see the package

    path, parses = Path(file), False
    try:
        triples = intake.read(_bytes(path), path.name.replace(";", "_"), base=path.absolute().as_uri())
        parses = True
        found = validation.check(triples, profile, upto=level, language=language_of(lang))
    except Refusal as refusal:
        return {"file": file, **unread(profile, refusal, intake.told(refusal), parses=parses)}, None
    return {"file": file, **found.document()}, found


def _bytes(path: Path) -> bytes:
    from connector.standards.rdf import LIMITS  # noqa: PLC0415 - see the package

    """Return what the file holds, or one byte more than is read of any."""
    try:
        with path.open("rb") as file:
            return file.read(LIMITS.bytes + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidInput(f"The file cannot be read: {reason}.", where="line 0", fix="Check its name.") from error
