"""Profiles that users add: taken when they stand on their own, refused with reasons when they do not."""

import os
from pathlib import Path

import pytest

from connector.capabilities.validation import Validation
from connector.errors import Conflict, InvalidInput, NotFound
from connector.standards.rdf import PREFIXES, Format, Triples, parse

HEAD = "\n".join(f"@prefix {prefix}: <{namespace}> ." for prefix, namespace in PREFIXES.items())
SHAPE = "<urn:s> a sh:NodeShape ; sh:targetClass dcat:Dataset"
KEYWORD = f"{SHAPE} ; sh:property [ sh:path dcat:keyword ; sh:minCount 1 ] ."
GOOD = '<urn:d> a dcat:Dataset ; dct:title "t"@en ; dct:description "d"@en .'


def turtle(text: str) -> Triples:
    """Return the statements of a text with the usual prefixes."""
    return parse(f"{HEAD}\n{text}".encode(), Format.TURTLE)


def made(folder: Path, shapes: str = KEYWORD, name: str = "ours", more: str = "", files: str = '["s.ttl"]') -> Path:
    """Write a profile and return its folder."""
    home = folder / name
    home.mkdir(parents=True, exist_ok=True)
    (home / "profile.toml").write_text(
        f'name = "{name}"\ntitle = "Ours"\nversion = "1"\nsource = "https://ours.example/"\nlicence = "CC0"\n{more}\n'
        f'[[level]]\nname = "structure"\ntitle = "structure"\nfiles = {files}\ngate = true\n'
    )
    (home / "s.ttl").write_text(f"{HEAD}\n{shapes}")
    return home


@pytest.fixture
def validation(tmp_path: Path) -> Validation:
    """Return validation with an empty folder for profiles."""
    return Validation.open(tmp_path / "data")


def test_a_profile_is_added_used_and_removed(validation: Validation, tmp_path: Path) -> None:
    """It is listed beside those that ship, and its shapes count."""
    validation.add(made(tmp_path))
    assert "ours" in validation.shelf.names()
    assert validation.shelf.added() == ("ours",)
    assert [each.path for each in validation.check(turtle(GOOD), "ours").results] == [
        "http://www.w3.org/ns/dcat#keyword"
    ]
    validation.remove("ours")
    assert validation.shelf.added() == ()
    with pytest.raises(InvalidInput, match="no profile 'ours'"):
        validation.check(turtle(GOOD), "ours")
    with pytest.raises(NotFound):
        validation.remove("dcat-ap")
    validation.close()


def test_what_it_includes_counts_too(validation: Validation, tmp_path: Path) -> None:
    """Level by level, and what both ask is said once."""
    twice = f"{SHAPE} ; sh:property [ sh:path dct:title ; sh:minCount 1 ] ."
    validation.add(made(tmp_path, twice, more='includes = ["dcat-ap"]'))
    report = validation.check(turtle("<urn:d> a dcat:Dataset ."), "ours")
    structure = [each.path for each in report.results if each.level == "structure"]
    assert structure == ["http://purl.org/dc/terms/description", "http://purl.org/dc/terms/title"]
    assert {each.level for each in report.results} > {"structure"}
    validation.add(made(tmp_path, name="second", more='includes = ["ours"]'))
    with pytest.raises(Conflict, match="'second' includes it"):
        validation.remove("ours")
    validation.close()


def test_a_new_version_takes_the_place_of_the_old_one(validation: Validation, tmp_path: Path) -> None:
    """Another process sees it without a new start."""
    validation.add(made(tmp_path))
    served = Validation.open(tmp_path / "data")
    assert not served.check(turtle(GOOD), "ours").conforms
    validation.add(made(tmp_path, f"{SHAPE} ; sh:property [ sh:path dct:title ; sh:minCount 1 ] ."))
    os.utime(tmp_path / "data" / "profiles" / "ours" / "profile.toml", ns=(1, 1))  # another time, however fast this is
    assert served.check(turtle(GOOD), "ours").conforms
    served.close()
    validation.close()


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        (f"{SHAPE} ; sh:sparql [ sh:select 'SELECT * {{}}' ] .", "SPARQL"),
        (f"{SHAPE} ; sh:rule [ a sh:TripleRule ] .", "SHACL-AF"),
        (f"{SHAPE} ; sh:target [ a sh:SPARQLTarget ] .", "SHACL-AF"),
        (f"{SHAPE} ; sh:js [ sh:jsFunctionName 'f' ] .", "SHACL-JS"),
        (f"<urn:o> owl:imports <https://elsewhere.example/shapes> . {KEYWORD}", "have to be fetched"),
        (f"{SHAPE} ; sh:property <https://elsewhere.example/shape> .", "no file describes the shape"),
        (f"{SHAPE} ; sh:or ( <https://elsewhere.example/shape> [ sh:class dct:X ] ) .", "no file describes the shape"),
        (f"{SHAPE} ; sh:and <https://elsewhere.example/list> .", "no file describes the shape"),
        ("<urn:c> a sh:ConstraintComponent .", "SPARQL"),
    ],
)
def test_what_could_do_more_than_check_is_refused(
    validation: Validation, tmp_path: Path, shapes: str, reason: str
) -> None:
    """The refusal says what, where and why; nothing is left behind."""
    with pytest.raises(InvalidInput) as refused:
        validation.add(made(tmp_path, shapes))
    assert any(reason in each for each in refused.value.reasons)
    assert validation.shelf.added() == ()
    assert list((tmp_path / "data" / "profiles").iterdir()) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "dcat-ap"}, "ships with the connector"),
        ({"name": "Our Profile"}, "no name for a profile"),
        ({"files": '["../s.ttl"]'}, "not the name of a Turtle file"),
        ({"files": '["none.ttl"]'}, "has no file"),
        ({"more": 'includes = ["nothing"]'}, "no profile 'nothing'"),
        ({"more": "colour = 1"}, "manifest is not one"),
        ({"shapes": "<urn:s> a"}, "not well-formed"),
        ({"shapes": "<urn:s> a sh:PropertyShape ; sh:minCount 1 ."}, "pySHACL refuses"),
    ],
)
def test_what_is_no_profile_is_refused(
    validation: Validation, tmp_path: Path, given: dict[str, str], message: str
) -> None:
    """Names, manifests and files that are not what a profile has."""
    with pytest.raises(InvalidInput, match=message):
        validation.add(made(tmp_path, **given))
    assert validation.shelf.added() == ()


def test_a_folder_without_a_name_is_refused(validation: Validation) -> None:
    """The root of the machine has none."""
    with pytest.raises(InvalidInput, match="no name for a profile"):
        validation.add(Path("/"))


def test_a_folder_that_is_put_there_by_hand_is_asked_the_same(validation: Validation, tmp_path: Path) -> None:
    """What the command would not take is not judged by either."""
    home = made(tmp_path, f"{SHAPE} ; sh:sparql [ sh:select 'SELECT * {{}}' ] .")
    (tmp_path / "data" / "profiles").mkdir(parents=True)
    home.rename(tmp_path / "data" / "profiles" / "ours")
    with pytest.raises(InvalidInput, match="not taken from others"):
        validation.check(turtle(GOOD), "ours")


def test_links_out_of_the_folder_are_not_followed(validation: Validation, tmp_path: Path) -> None:
    """Shapes are copied; a link could show anything of the machine."""
    home = made(tmp_path)
    (home / "s.ttl").unlink()
    (home / "s.ttl").symlink_to("/etc/passwd")
    with pytest.raises(InvalidInput, match="no plain file"):
        validation.add(home)


def test_what_is_not_compiled_is_judged_by_pyshacl_only(validation: Validation, tmp_path: Path) -> None:
    """It is taken, and whoever adds it is told."""
    path = f"{SHAPE} ; sh:property [ sh:path [ sh:oneOrMorePath dct:isPartOf ] ; sh:minCount 1 ] ."
    (only,) = validation.add(made(tmp_path, path))
    assert only.compiled is None
    assert only.reasons
    assert len(validation.check(turtle(GOOD), "ours").results) == 1
    validation.close()
