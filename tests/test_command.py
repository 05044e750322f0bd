"""The command itself: its exit codes, its words on standard error, and what it says when a part is not installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.standards.crosswalks.documents import COLLECTION

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("GREENDEAL_")}


def greendeal(*words: str, without: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command, as if the package `without` were not installed."""
    hide = f"import sys; sys.modules[{without!r}] = None; " if without else ""
    code = f"{hide}from connector.cli import main; main()"
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT | environment, check=False)


def test_a_missing_part_is_said_in_a_sentence(tmp_path: Path) -> None:
    """Without the server's packages `serve` says what to install and shows no traceback."""
    made = greendeal("init", "--data", str(tmp_path / "d"), "--participant", "did:web:a.example", "--name", "A")
    assert made.returncode == 0, made.stderr
    done = greendeal("serve", "--data", str(tmp_path / "d"), without="uvicorn")
    assert done.returncode == 1
    assert done.stderr.startswith("This needs uvicorn, which is not installed.")
    assert "Traceback" not in done.stderr


def test_the_first_key_is_shown_once_and_the_folder_kept(tmp_path: Path) -> None:
    """`init` prints the key; a second `init` in the same folder is refused and changes nothing."""
    words = ["init", "--data", str(tmp_path / "d"), "--participant", "did:web:a.example", "--name", "A", "-o", "json"]
    first = greendeal(*words)
    assert json.loads(first.stdout)["api_key"].startswith("gdc_")
    before = (tmp_path / "d" / "connector.toml").read_bytes()
    again = greendeal(*words)
    assert again.returncode == 1
    assert json.loads(again.stderr)["type"] == "urn:greendeal:problem:Conflict"
    assert (tmp_path / "d" / "connector.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["serve", "--data", "nowhere"], 3, "There is no settings file."),
        (["dataset", "list", "--colour"], 2, "No such option"),
        (["demo", "--db", "oracle"], 1, "no database engine"),
    ],
)
def test_exit_codes_tell_what_kind_of_no_it_is(words: list[str], code: int, said: str) -> None:
    """Scripts can tell a wrong call (2) from what is not valid (3) and what failed (1)."""
    done = greendeal(*words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_validate_reports_every_file_and_ends_with_three(tmp_path: Path) -> None:
    """One object a line in the order given; a file that cannot be read does not end the run."""
    good = '<urn:d> a <http://www.w3.org/ns/dcat#Dataset> ; <http://purl.org/dc/terms/title> "A"@en ; '
    (tmp_path / "good.ttl").write_text(good + '<http://purl.org/dc/terms/description> "B"@en .')
    (tmp_path / "bad.ttl").write_text("<urn:d> a <http://www.w3.org/ns/dcat#Dataset> .")
    (tmp_path / "torn.ttl").write_text("<urn:d> a <http://")
    names = [str(tmp_path / name) for name in ("good.ttl", "torn.ttl", "bad.ttl")]
    done = greendeal("dataset", "validate", *names, "-o", "jsonl")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["file"] for each in found] == names
    assert [(each["parses"], each["conforms"]) for each in found] == [(True, True), (False, False), (True, False)]
    assert "line 1" in found[1]["results"][0]["message"]
    assert done.returncode == 3


RECORD = '<urn:d> a <http://www.w3.org/ns/dcat#Dataset> ; <http://purl.org/dc/terms/title> "A"@en ; '
DESCRIBED = RECORD + '<http://purl.org/dc/terms/description> "B"@en .'
ROW = {"level", "focus", "path", "component", "severity", "value", "message", "fix"}


def test_validate_takes_many_files_in_every_form_and_none_ends_the_run(tmp_path: Path) -> None:
    """RDF, plain JSON, a file that is not there, one of another kind: a line each, in the order given."""
    contents = {
        "a.ttl": DESCRIBED,
        "b.nt": DESCRIBED.replace(" ; ", " .\n<urn:d> ").replace(" a ", f" <{RDF_TYPE}> "),
        "c.trig": f"<urn:g> {{ {DESCRIBED} }}",
        "d.json": '{"id": "urn:d", "title": {"en": "A"}, "description": {"en": "B"}}',
        "e.jsonld": '{"@id": "urn:d", "@type": "http://www.w3.org/ns/dcat#Dataset"}',
        "f.png": "x",
        "h.ttl": "",
    }
    for name, text in contents.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    names = [str(tmp_path / name) for name in (*contents, "missing.ttl")]
    done = greendeal("dataset", "validate", *names, "-o", "jsonl", "--profile", "geodcat-ap")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["file"] for each in found] == names
    verdicts = [(each["parses"], each["conforms"]) for each in found]
    assert verdicts == [(True, True)] * 4 + [(True, False), (False, False), (True, True), (False, False)], found
    assert done.returncode == 3
    assert all(set(result) == ROW for each in found for result in each["results"])
    assert {each["profile"] for each in found} == {"geodcat-ap"}


RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"


def test_validate_names_files_as_they_were_given(tmp_path: Path) -> None:
    """Whatever the name is, with exactly the keys that are promised."""
    (tmp_path / "a.ttl").write_text(DESCRIBED)
    (tmp_path / "a;b.ttl").write_text(DESCRIBED)
    (tmp_path / "folder.ttl").mkdir()
    (tmp_path / "loop.ttl").symlink_to("loop.ttl")
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.ttl")
    Path(odd).write_text(DESCRIBED)
    names = [f"{tmp_path}//a.ttl", f"{tmp_path}/./a;b.ttl", odd, f"{tmp_path}/folder.ttl", f"{tmp_path}/loop.ttl"]
    done = greendeal("dataset", "validate", *names, "-o", "jsonl")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["file"] for each in found] == names
    assert [each["conforms"] for each in found] == [True, True, True, False, False]
    assert {tuple(each) for each in found} == {("file", "profile", "parses", "conforms", "results")}
    assert all(result["fix"] for each in found for result in each["results"])
    torn = greendeal("dataset", "validate", *names, "--report", "turtle")
    assert (torn.returncode, torn.stdout.count("a sh:ValidationReport")) == (3, len(names))


@pytest.mark.parametrize("option", ["--profile", "--level", "--lang", "--report"])
def test_validate_says_what_there_is_to_choose_from(tmp_path: Path, option: str) -> None:
    """A fault of the command line is none of a record."""
    done = greendeal("dataset", "validate", str(tmp_path / "a.ttl"), option, "none")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Use one of: " in done.stderr


def test_validate_counts_findings_up_to_a_level(tmp_path: Path) -> None:
    """The results are the same; the verdict and the exit code follow the level."""
    (tmp_path / "a.ttl").write_text(DESCRIBED)
    plain = greendeal("dataset", "validate", str(tmp_path / "a.ttl"), "-o", "jsonl")
    strict = greendeal("dataset", "validate", str(tmp_path / "a.ttl"), "-o", "jsonl", "--level", "recommendation")
    assert (plain.returncode, strict.returncode) == (0, 3)
    assert json.loads(plain.stdout)["results"] == json.loads(strict.stdout)["results"]


def test_validate_speaks_other_languages_and_forms(tmp_path: Path) -> None:
    """As text, as HTML, and as a report of SHACL."""
    (tmp_path / "a.ttl").write_text(f"{RECORD[:-2]}.")
    name = str(tmp_path / "a.ttl")
    assert "Beschreibung: nicht angegeben" in greendeal("dataset", "validate", name, "--lang", "de").stdout
    html = greendeal("dataset", "validate", name, "--report", "html", "--lang", "fr").stdout
    assert html.startswith('<section class="report fails" lang="fr">')
    assert "sh:ValidationReport" in greendeal("dataset", "validate", name, "--report", "turtle").stdout


def test_a_profile_is_added_used_and_removed_by_the_command(tmp_path: Path) -> None:
    """What pySHACL alone can judge is said; a profile with a query is refused with a reason."""
    folder, data = tmp_path / "ours", ["--data", str(tmp_path / "data")]
    folder.mkdir()
    (folder / "profile.toml").write_text(
        'name = "ours"\ntitle = "Ours"\nversion = "1"\nsource = "https://ours.example/"\nlicence = "CC0"\n'
        '[[level]]\nname = "structure"\ntitle = "structure"\nfiles = ["s.ttl"]\ngate = true\n'
    )
    shape = "<urn:s> <http://www.w3.org/ns/shacl#targetClass> <http://www.w3.org/ns/dcat#Dataset> ; "
    (folder / "s.ttl").write_text(
        f"{shape}<http://www.w3.org/ns/shacl#property> [ <http://www.w3.org/ns/shacl#minCount> 1 ; "
        "<http://www.w3.org/ns/shacl#path> [ <http://www.w3.org/ns/shacl#oneOrMorePath> <urn:part> ] ] ."
    )
    added = greendeal("profile", "add", str(folder), *data)
    assert added.returncode == 0, added.stderr
    assert "judged by pySHACL only" in added.stderr
    assert "ours" in greendeal("profile", "list", *data).stdout
    assert "pySHACL only" in greendeal("profile", "show", "ours", *data).stdout
    (tmp_path / "a.ttl").write_text(DESCRIBED)
    checked = greendeal("dataset", "validate", str(tmp_path / "a.ttl"), "--profile", "ours", "-o", "jsonl", *data)
    assert [each["component"].rpartition("#")[2] for each in json.loads(checked.stdout)["results"]] == [
        "MinCountConstraintComponent"
    ]
    assert greendeal("profile", "remove", "ours", *data).returncode == 0
    (folder / "s.ttl").write_text(f"{shape}<http://www.w3.org/ns/shacl#sparql> [] .")
    refused = greendeal("profile", "add", str(folder), *data)
    assert refused.returncode == 3
    assert "SPARQL" in refused.stderr


def test_help_needs_no_server(tmp_path: Path) -> None:
    """The bare distribution can tell what the command does."""
    done = greendeal("--help", without="litestar", HOME=str(tmp_path))
    assert done.returncode == 0
    assert "ledger" in done.stdout


def test_records_of_other_catalogues_are_converted(tmp_path: Path) -> None:
    """Each file by what it holds; what is lost is said apart from the records, and one that is none ends nothing."""
    stac, broken = tmp_path / "sst.json", tmp_path / "broken.xml"
    stac.write_text(json.dumps(COLLECTION), encoding="utf-8")
    broken.write_text("<a>", encoding="utf-8")
    done = greendeal("dataset", "convert", str(broken), str(stac), "-o", "jsonl")
    assert done.returncode == 3
    assert json.loads(done.stdout)["identifier"] == ["sst-north-pacific"]
    assert "sst.json: not carried over: summaries.eo:cloud_cover" in done.stderr
    record = tmp_path / "sst.ttl"
    record.write_text(greendeal("dataset", "convert", str(stac)).stdout, encoding="utf-8")
    back = greendeal("dataset", "convert", str(record), "-o", "stac")
    assert json.loads(back.stdout)["providers"][0]["name"] == "Ocean Institute"
    there = greendeal("dataset", "convert", str(record), "-o", "croissant")
    assert json.loads(there.stdout)["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert "no place in croissant for: crs" in there.stderr
