"""Drafts: records in the making, kept as they are typed, valid or not; what is published is always valid.

Who saves says which revision they began from. If somebody saved meanwhile, nothing is overwritten: the refusal has
every field that differs, and the text that was not saved is still with who typed it.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import col

from connector.capabilities.datasets import PLAIN, Datasets, Registered, parse_record
from connector.capabilities.evidence import Begin, Clock, NewId
from connector.capabilities.identity import Principal
from connector.errors import Conflict, InvalidInput, Refusal, Stale, TooLarge
from connector.standards import rdf
from connector.standards.dcat import graph, model
from connector.standards.dcat.shacl import profiles
from connector.storage.tables import SavedDraft

LARGEST: Final = 4 * 2**20
"""Bytes of a draft."""

SHOWN: Final = 200
"""Differences that a refusal holds, and characters of each value."""


@dataclass(frozen=True, slots=True)
class Drafts:
    """The drafts of this participant."""

    begin: Begin
    read: Begin
    now: Clock
    new_id: NewId
    participant: str
    datasets: Datasets

    def save(self, content: bytes, media_type: str, by: Principal, profile: str) -> SavedDraft:
        """Keep a new draft exactly as it is, and what is found in it.

        Raises:
            InvalidInput: there is no such profile, or the draft is in no form that records have.
            TooLarge: it is larger than a draft may be.
        """
        _check(content, media_type, profile)
        moment = self.now()
        draft = SavedDraft(
            participant=self.participant,
            id=self.new_id(),
            title="",
            media_type=media_type,
            content=content,
            profile=profile,
            created=moment,
            updated=moment,
            by=by.name,
        )
        self._look(draft)
        with self.begin(self.participant) as work:
            return work.add(draft)

    def update(
        self, key: str, content: bytes, media_type: str, revision: int, by: Principal, profile: str
    ) -> SavedDraft:
        """Keep a draft in the place of the revision it was made from; the same again changes nothing.

        Raises:
            NotFound: there is no such draft.
            Stale: another revision was saved meanwhile; its differences are in the refusal, and nothing is changed.
            InvalidInput: as for `save`.
        """
        _check(content, media_type, profile)
        with self.begin(self.participant) as work:
            draft = work.need(SavedDraft, key, lock=True)
            if (draft.content, draft.media_type, draft.profile) == (content, media_type, profile):
                return draft
            if draft.revision != revision:
                raise Stale(
                    f"The draft was saved meanwhile: revision {draft.revision} by {draft.by}, not {revision}.",
                    differences(draft.content, draft.media_type, content, media_type),
                    fix="Bring the differences together and save with the newest revision.",
                )
            draft.content, draft.media_type, draft.profile = content, media_type, profile
            draft.revision, draft.updated, draft.by = revision + 1, self.now(), by.name
            self._look(draft)
            return draft

    def get(self, key: str) -> SavedDraft:
        """Return a draft, or raise NotFound."""
        with self.read(self.participant) as work:
            return work.need(SavedDraft, key)

    def all(self) -> list[SavedDraft]:
        """Return the drafts, those last worked at first."""
        with self.read(self.participant) as work:
            return work.select(SavedDraft, order_by=[col(SavedDraft.updated).desc(), col(SavedDraft.id)])

    def discard(self, key: str) -> None:
        """Delete a draft, or raise NotFound."""
        with self.begin(self.participant) as work:
            work.delete(work.need(SavedDraft, key, lock=True))

    def publish(self, key: str, revision: int, by: Principal) -> Registered:
        """Register what the draft says; it stays, and says which version came of it.

        Raises:
            NotFound: there is no such draft.
            Conflict: it was saved meanwhile: look at it before it is published.
            InvalidInput: it is not valid; it stays as it is.
        """
        draft = self.get(key)
        if draft.revision != revision:
            raise Conflict(
                f"The draft was saved meanwhile: it is at revision {draft.revision}, not {revision}.",
                where=key,
                fix="Look at it again, then publish that revision.",
            )
        done = self.datasets.register(draft.content, draft.media_type, by, draft.profile)
        with self.begin(self.participant) as work:
            kept = work.need(SavedDraft, key, lock=True)
            kept.dataset, kept.published = done.id, done.version
        return done

    def _look(self, draft: SavedDraft) -> None:
        """Note what a draft is about and what is found in it."""
        draft.title, draft.dataset = _about(draft.content, draft.media_type)
        try:
            report = self.datasets.validate(draft.content, draft.media_type, draft.profile)
        except Refusal as refusal:
            said = {"message": refusal.message, "where": refusal.where, "fix": refusal.fix}
            draft.report = {"parses": False, "conforms": False, "results": [], "problem": said}
        else:
            found = json.loads(report.json())
            draft.report = {"parses": True, "conforms": report.conforms, "results": found["results"]}


def differences(stored: bytes, stored_form: str, yours: bytes, your_form: str) -> list[dict[str, Any]]:
    """Return the fields in which two drafts differ: `field`, and what is `stored` and what is `yours`.

    Plain forms are compared field by field, RDF by what is said of each node by each property, anything else whole.
    """
    one, two = _fields(stored, stored_form), _fields(yours, your_form)
    if one is None or two is None or one.keys() & {""} or two.keys() & {""}:
        one, two = {"": _short(stored)}, {"": _short(yours)}
    names = sorted({*one, *two})
    found = ((name, one.get(name), two.get(name)) for name in names if one.get(name) != two.get(name))
    shown = [{"field": name, "stored": ours, "yours": theirs} for name, ours, theirs in found]
    return shown[:SHOWN]


def _fields(content: bytes, media_type: str) -> dict[str, str] | None:
    """Return the fields of a draft with their values as text, or None where it cannot be read."""
    try:
        if _is_plain(media_type):
            return dict(_leaves(rdf.read_json(content), ""))
        said: defaultdict[str, list[str]] = defaultdict(list)
        for each in rdf.parse(content, rdf.Format.of(media_type)):
            said[f"{each.subject} {rdf.compact(each.predicate.value)}"].append(str(each.object))
        return {name: _short(", ".join(sorted(values)).encode()) for name, values in said.items()}
    except InvalidInput:
        return None


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case dict() if value:
            for key, each in value.items():
                yield from _leaves(each, f"{path}.{key}" if path else key)
        case list() if any(isinstance(each, dict) for each in value):
            for number, each in enumerate(value):
                yield from _leaves(each, f"{path}[{number}]")
        case _:
            yield path, _short(json.dumps(value, ensure_ascii=False).encode())


def _short(content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _about(content: bytes, media_type: str) -> tuple[str, str | None]:
    """Return the title and the IRI of what a draft describes, as far as either can be told."""
    try:
        subject, triples = parse_record(content, media_type)
        return _short(model.words(graph.read(triples, subject).title).encode()), subject
    except Refusal:
        return _loose_title(content, media_type), None


def _loose_title(content: bytes, media_type: str) -> str:
    """Return the title in a plain form that is no record yet."""
    try:
        found = rdf.read_json(content) if _is_plain(media_type) else None
    except InvalidInput:
        return ""
    title = found.get("title") if isinstance(found, dict) else None
    words = next(iter(title.values()), "") if isinstance(title, dict) else title
    return _short(words.encode()) if isinstance(words, str) else ""


def _is_plain(media_type: str) -> bool:
    return media_type.partition(";")[0].strip().lower() == PLAIN


def _check(content: bytes, media_type: str, profile: str) -> None:
    if len(content) > LARGEST:
        raise TooLarge(f"A draft may have {LARGEST:,} bytes; this has {len(content):,}.")
    profiles.profile(profile)
    if not _is_plain(media_type):
        rdf.Format.of(media_type)
