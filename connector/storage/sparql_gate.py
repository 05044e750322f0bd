r"""The gate in front of foreign SPARQL: which text may run, over which graphs, and in which format it is answered.

Pure: text in, a checked query out. The engine parses the query again in a worker without network; what it must never be
asked is decided here, on tokens instead of on text, because a word in a string, an IRI or a comment is harmless and
a word written with escapes is not.

Two things make a plain tokeniser too trusting, and both were tried against the engine:

- The engine's grammar knows no word boundaries: it reads `SERVICE:a{…}` and `trueSERVICE<a>{…}` as a SERVICE clause
  where the longest-token rule of SPARQL 1.1 sees a prefixed name or one word. So no word and no prefix may *contain*
  "service".
- `<` opens an IRI or means "less than", and only the grammar knows which. Where a quote or `#` in the supposed IRI
  would make the two readings differ in what comes after it, the query is refused.

SPARQL 1.1 §19.2 lets an implementation decode `\uXXXX` before or while it reads tokens; a text that reads differently
in the two ways is refused too.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urljoin

from connector.errors import InvalidInput, TooLarge


class Kind(StrEnum):
    """The four query forms of SPARQL 1.1 §16."""

    SELECT = "SELECT"
    ASK = "ASK"
    CONSTRUCT = "CONSTRUCT"
    DESCRIBE = "DESCRIBE"


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """How long (characters) and how deeply bracketed a query text may be."""

    text: int = 64_000
    nesting: int = 64


@dataclass(frozen=True, slots=True)
class Query:
    """A query that passed the gate: its text, its form and the dataset it asks for (FROM, FROM NAMED)."""

    text: str
    kind: Kind
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()

    def dataset(self, allowed: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return (graphs merged as default graph, named graphs); FROM clauses only narrow `allowed`.

        Raises InvalidInput when a clause names a graph outside `allowed`, in the same words whether it exists or not.
        """
        if not self.default_graphs and not self.named_graphs:
            return tuple(allowed), tuple(allowed)
        readable = frozenset(allowed)
        for graph in (*self.default_graphs, *self.named_graphs):
            if graph not in readable:
                raise InvalidInput(
                    f"The query asks for the graph <{graph}>, which is not among the graphs you may read.",
                    where="FROM",
                    fix="Leave the clause out to query every graph you may read, or name one of those.",
                )
        return self.default_graphs, self.named_graphs


class NotAcceptable(InvalidInput):
    """None of the formats the asker accepts can carry this kind of answer."""


_BINDINGS: Final = (
    "application/sparql-results+json",
    "application/sparql-results+xml",
    "text/csv",
    "text/tab-separated-values",
    "application/json",
)
_TRUTH: Final = ("application/sparql-results+json", "application/sparql-results+xml", "application/json")
_GRAPH: Final = ("text/turtle", "application/ld+json", "application/n-triples", "application/rdf+xml")
FORMATS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.SELECT: _BINDINGS,
    Kind.ASK: _TRUTH,
    Kind.CONSTRUCT: _GRAPH,
    Kind.DESCRIBE: _GRAPH,
}
"""The media types an answer of each kind can have, the preferred one first."""


def negotiate(accept: str | None, kind: Kind) -> str:
    """Return the media type of the answer that `accept` (an Accept header, or None) likes best.

    Per RFC 9110 §12.5.1 the most specific range decides about a type; among equals our own order does.
    Raises NotAcceptable when nothing fits.
    """
    offered = FORMATS[kind]
    if accept is None or not accept.strip():
        return offered[0]
    ranges = [_media_range(part) for part in accept.split(",") if part.strip()]
    liking = {media_type: _liking(media_type, ranges) for media_type in offered}
    best = max(offered, key=lambda media_type: liking[media_type])  # max keeps the first of equals
    if liking[best] > 0:
        return best
    raise NotAcceptable(
        f"An answer to a {kind} query cannot be written in any format of Accept: {accept[:200]!r}.",
        where="Accept",
        fix="Accept one of: " + ", ".join(offered) + ".",
    )


def _media_range(part: str) -> tuple[str, float]:
    media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
    weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    return media_range, float(weight) if re.fullmatch(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", weight) else 0.0


def _liking(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    for wanted in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        weights = [weight for media_range, weight in ranges if media_range == wanted]
        if weights:
            return max(weights)
    return 0.0


# --- tokens ----------------------------------------------------------------------------------------------------------

_ESCAPE: Final = r"\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}"
_IN_STRING: Final = re.compile(rf"{_ESCAPE}|\\(.)", re.DOTALL)
_ESCAPED: Final = r"%[0-9A-Fa-f]{2}|\\[_~.\-!$&'()*+,;=/?\#@%]"
_LOCAL: Final = (
    rf"(?:[\w:]|{_ESCAPED})(?:[\w:\-\u00b7]|{_ESCAPED})*(?:\.+(?:[\w:\-\u00b7]|{_ESCAPED})+)*"  # '.' never ends it
)
_PREFIX: Final = r"[^\W\d_][\w\-\u00b7]*(?:\.+[\w\-\u00b7]+)*"
_TOKEN: Final = re.compile(
    rf"""(?P<space>[\ \t\r\n]+)
    |(?P<comment>\#[^\r\n]*)
    |(?P<iri><(?:[^<>"{{}}|^`\\\x00-\x20]|{_ESCAPE})*>)
    |(?P<string>\"\"\"(?:"{{0,2}}(?:[^"\\]|\\.))*\"\"\"|'''(?:'{{0,2}}(?:[^'\\]|\\.))*'''
        |"(?!"")(?:[^"\\\r\n]|\\.)*"|'(?!'')(?:[^'\\\r\n]|\\.)*')
    |(?P<variable>[?$]\w[\w\u00b7]*)
    |(?P<language>@[A-Za-z]+(?:-[A-Za-z0-9]+)*(?:--[A-Za-z]+)?)
    |(?P<blank>_:{_LOCAL})
    |(?P<name>(?:{_PREFIX})?:(?:{_LOCAL})?)
    |(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<word>[A-Za-z][A-Za-z0-9_]*)
    |(?P<mark>[{{}}()\[\],;.=!<>&|*/+^?~-])""",
    re.VERBOSE,
)
_SURROGATES: Final = range(0xD800, 0xE000)
_OPENING: Final = {"}": "{", ")": "(", "]": "["}
_UPDATES: Final = frozenset(
    {"INSERT", "DELETE", "LOAD", "CLEAR", "DROP", "CREATE", "ADD", "MOVE", "COPY", "WITH", "USING"}
)
_LESS_THAN_FOLLOWS: Final = frozenset({"variable", "string", "language", "blank", "name", "number", "word", "iri"})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def check_query(text: str, limits: QueryLimits | None = None) -> Query:
    """Return the query behind `text`, or refuse it.

    Raises TooLarge for a text over the limits; InvalidInput, with line and column, for an update, a SERVICE clause, an
    ambiguous escape or IRI, or a text whose tokens or brackets do not come out. What passes may still be wrong
    SPARQL; the engine says so.
    """
    limits = limits or QueryLimits()
    if len(text) > limits.text:
        raise TooLarge(
            f"The query has {len(text)} characters; at most {limits.text} are read.",
            where="query",
            fix="Shorten it, for example by asking for the values in several queries.",
        )
    try:
        read = list(_tokens(text, limits.nesting))
        _refuse_a_second_reading(text, read, limits.nesting)
        tokens = [token for token in read if token.kind not in {"space", "comment"}]
        for token in tokens:
            _refuse_what_reaches_out(token)
        return _read(text, tokens)
    except _Refused as refused:
        raise refused.placed(text) from None


class _Refused(Exception):  # noqa: N818 - it is turned into a refusal with its place
    """A finding at an offset of the text."""

    def __init__(self, at: int, message: str, fix: str, kind: type[InvalidInput] = InvalidInput) -> None:
        super().__init__(message)
        self.at, self.message, self.fix, self.kind = at, message, fix, kind

    def placed(self, text: str) -> InvalidInput:
        """Return the refusal, its place counted in lines and columns from 1."""
        before = text[: self.at]
        where = f"line {before.count(chr(10)) + 1}, column {self.at - (before.rfind(chr(10)) + 1) + 1}"
        return self.kind(self.message, where=where, fix=self.fix)


def _tokens(text: str, nesting: int) -> Iterator[_Token]:
    """Yield every token of `text`, blanks and comments too, with brackets, escapes and IRIs checked."""
    at, open_, last = 0, list[str](), ""
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _Refused(
                at,
                f"No SPARQL token begins with {text[at : at + 12]!r}.",
                r"Close every string and IRI; escapes such as \u0041 are read only inside strings and IRIs.",
            )
        token = _Token(str(match.lastgroup), match.group(), at)
        _refuse_ambiguous_escape(token)
        if token.kind == "iri" and open_[-1:] == ["("] and (last in _LESS_THAN_FOLLOWS or last in {")", "]"}):
            _refuse_ambiguous_iri(token)
        if token.kind == "mark":
            _bracket(token, open_, nesting)
        if token.kind not in {"space", "comment"}:
            last = token.text if token.kind == "mark" else token.kind
        yield token
        at = match.end()
    if open_:
        raise _Refused(len(text), f"A {open_[-1]!r} is never closed.", "Close it.")


def _bracket(token: _Token, open_: list[str], nesting: int) -> None:
    if token.text in "{([":
        open_.append(token.text)
        if len(open_) > nesting:
            raise _Refused(
                token.at, f"Brackets are nested more than {nesting} deep.", "Write the query flatter.", TooLarge
            )
    elif token.text in _OPENING and (not open_ or open_.pop() != _OPENING[token.text]):
        raise _Refused(token.at, f"This {token.text!r} closes nothing.", "Check the brackets before it.")


def _refuse_ambiguous_escape(token: _Token) -> None:
    r"""Refuse `\u…` that would mean something else if it were decoded before the tokens are read."""
    structural = {"string": "\"'\\\r\n", "comment": "\r\n", "iri": '<>"{}|^`\\'}.get(token.kind)
    for escape in re.finditer(_ESCAPE, token.text):
        character = _character(escape)
        bad = structural is None or not character or character in structural
        if bad or (token.kind == "iri" and character <= " "):
            raise _Refused(
                token.at + escape.start(),
                f"The escape {escape.group()} stands for a character that could change how the query is read.",
                "Write the character itself, or the short escapes \\\" \\' \\n \\r \\\\ inside a string.",
            )
    for escape in _IN_STRING.finditer(token.text) if token.kind == "string" else ():
        if len(escape.group()) == 2 and escape.group(1) not in "tbnrf\"'\\":  # noqa: PLR2004 - a backslash and a letter
            raise _Refused(
                token.at + escape.start(),
                f"{escape.group()!r} is not an escape of SPARQL.",
                "Write two backslashes where a backslash is meant.",
            )


def _refuse_a_second_reading(text: str, read: Sequence[_Token], nesting: int) -> None:
    """Refuse a text whose tokens are others when its escapes are decoded first, as SPARQL 1.1 §19.2 allows."""
    first = re.search(_ESCAPE, text)
    if first is None:
        return
    try:
        again = [(token.kind, token.text) for token in _tokens(_decoded(text), nesting)]
    except _Refused:
        again = []
    if again != [(token.kind, _decoded(token.text)) for token in read]:
        raise _Refused(
            first.start(),
            f"The escape {first.group()}, or one after it, changes how the query is read.",
            "Write the characters themselves.",
        )


def _refuse_ambiguous_iri(token: _Token) -> None:
    """Refuse `<…>` after an operand in parentheses when "less than" would read the rest of the text differently."""
    iri = _decoded(token.text[1:-1])
    if ("'" in iri or "#" in iri) and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", iri):
        raise _Refused(
            token.at,
            f"{token.text!r} can be read as an IRI or as a comparison with '<'.",
            "Put a blank after '<' in a comparison; use a prefixed name for the IRI.",
        )


def _decoded(text: str) -> str:
    return re.sub(_ESCAPE, _character, text)


def _character(escape: re.Match[str]) -> str:
    """Return the character a codepoint escape stands for; empty for a surrogate or a number beyond Unicode."""
    code = int(escape.group().lstrip("\\uU"), base=16)
    return chr(code) if code <= sys.maxunicode and not _SURROGATES.start <= code < _SURROGATES.stop else ""


def _refuse_what_reaches_out(token: _Token) -> None:
    word = token.text.upper() if token.kind == "word" else ""
    prefix = token.text.partition(":")[0].upper() if token.kind == "name" else ""
    if "SERVICE" in word or "SERVICE" in prefix:
        raise _Refused(
            token.at,
            f"{token.text[:80]!r} is read as a SERVICE clause, and queries may not call other services.",
            "Query the graphs harvested here instead; a prefix must not contain the word 'service'.",
        )
    if word in _UPDATES:
        raise _Refused(
            token.at,
            f"{word} belongs to SPARQL Update, and this endpoint only answers queries.",
            "Ask with SELECT, ASK, CONSTRUCT or DESCRIBE; records are changed through the dataset API.",
        )


# --- the few clauses the gate must understand ------------------------------------------------------------------------


def _read(text: str, tokens: Sequence[_Token]) -> Query:
    base, prefixes, start = _prologue(tokens)
    word = tokens[start].text.upper() if start < len(tokens) else ""
    if word not in Kind.__members__:
        at = tokens[start].at if start < len(tokens) else len(text)
        raise _Refused(
            at, f"A query form is expected here, not {word[:80]!r}.", "Begin with SELECT, ASK, CONSTRUCT or DESCRIBE."
        )
    default: list[str] = []
    named: list[str] = []
    for at, token in enumerate(tokens):
        if token.kind == "word" and token.text.upper() == "FROM":
            is_named = _word(tokens, at + 1) == "NAMED"
            graph = _iri(tokens, at + 1 + is_named, token, base, prefixes)
            (named if is_named else default).append(graph)
    return Query(text, Kind(word), tuple(dict.fromkeys(default)), tuple(dict.fromkeys(named)))


def _word(tokens: Sequence[_Token], at: int) -> str:
    return tokens[at].text.upper() if at < len(tokens) and tokens[at].kind == "word" else ""


def _prologue(tokens: Sequence[_Token]) -> tuple[str, dict[str, str], int]:
    """Return the base IRI, the prefixes and the position of the first token after the prologue."""
    base, prefixes, at = "", dict[str, str](), 0
    while (word := _word(tokens, at)) in {"BASE", "PREFIX", "VERSION"}:
        at += 1
        if word == "BASE":
            base = urljoin(base, _decoded(tokens[at].text[1:-1])) if at < len(tokens) else base
        if word == "PREFIX":
            name = tokens[at].text if at < len(tokens) else ""
            at += 1
            prefixes[name] = urljoin(base, _decoded(tokens[at].text[1:-1])) if at < len(tokens) else ""
        at += 1
    return base, prefixes, at


def _iri(tokens: Sequence[_Token], at: int, clause: _Token, base: str, prefixes: Mapping[str, str]) -> str:
    token = tokens[at] if at < len(tokens) else clause
    if token.kind == "iri":
        return urljoin(base, _decoded(token.text[1:-1]))
    prefix, colon, local = token.text.partition(":")
    if token.kind != "name" or prefix + colon not in prefixes:
        raise _Refused(
            clause.at, f"FROM is not followed by a graph: {token.text[:80]!r}.", "Name the graph by its IRI in <…>."
        )
    return prefixes[prefix + colon] + re.sub(r"\\(.)", r"\1", local)
