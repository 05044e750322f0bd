"""The container set-up: five connectors and their database, as far as it can be judged without an engine."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.demo import cast
from connector.settings import load
from tests.architecture.project import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
CONNECTORS = {name: each for name, each in COMPOSE["services"].items() if name != "postgres"}


def test_five_connectors_and_their_database() -> None:
    """The set-up is the small data space that the documentation speaks of."""
    spoken_of = {(actor.name, actor.participant) for actor in cast.CAST}
    variables = [each["environment"] for each in CONNECTORS.values()]
    assert {(each["NAME"], each["PARTICIPANT"]) for each in variables} == spoken_of
    assert len(spoken_of) == len(variables) == 5
    assert COMPOSE["services"]["postgres"]["image"].startswith("postgres:")


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_service_tells_its_health(name: str) -> None:
    """`--wait` returns when everything answers, not when everything was started."""
    service = COMPOSE["services"][name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", CONNECTORS)
def test_a_connector_keeps_its_data_and_waits_for_the_database(name: str) -> None:
    """Nothing is lost when a container is replaced; no start fails because it came first."""
    service = CONNECTORS[name]
    assert service["volumes"] == [f"{name}:/data"]
    assert name in COMPOSE["volumes"]
    assert service["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert f"CREATE DATABASE {name};" in COMPOSE["configs"]["databases"]["content"]
    assert service["environment"]["DATABASE"] == name


def test_the_first_start_makes_a_connector(tmp_path: Path) -> None:
    """The commands of the containers are commands of the program: run here, with a small database."""
    shell, option, script = CONNECTORS["weather"]["entrypoint"]
    script = re.sub(r'"postgresql[^"]*"', f'"sqlite:///{tmp_path}/rows.db"', script.replace("$$", "$"))
    assert script.endswith("exec greendeal serve --data .\n")
    script = script.replace("exec greendeal serve --data .", "greendeal ledger --help >help")
    program = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**CONNECTORS["weather"]["environment"], "PATH": program}
    for _ in ("the first start", "the second start"):
        command = [shutil.which(shell) or shell, option, script]
        ran = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    settings = load(tmp_path, {})
    assert settings.participant == "did:web:weather.example"
    assert settings.public_url == "http://localhost:8101"
    assert settings.server.host == "0.0.0.0"  # noqa: S104 - inside the container's own network
    assert settings.database_url.startswith("sqlite:")


def test_ports_are_distinct_and_published_on_this_machine_only() -> None:
    """Trying it out opens nothing to the network around."""
    (published,) = COMPOSE["services"]["postgres"]["ports"]
    first, last = map(int, re.findall(r":(\d+)-(\d+)$", published)[0])
    assert published.startswith("127.0.0.1:")
    ports = {int(each["environment"]["PORT"]) for each in CONNECTORS.values()}
    assert ports == set(range(first, last + 1))


def test_the_image_is_built_from_what_is_pinned() -> None:
    """Every installation inside the image is by hash, or without any dependency; and all it copies exists."""
    recipe = COMPOSE["x-connector"]["build"]["dockerfile_inline"].replace("\\\n", " ")
    for install in re.findall(r"pip install [^&\n]*", recipe):
        assert "--require-hashes" in install or "--no-deps" in install
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for copy in re.findall(r"^COPY (?!--)(.*) \S+$", recipe, re.MULTILINE):
        for source in copy.split():
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored
    assert re.findall(r"^USER (\S+)", recipe, re.MULTILINE) == ["greendeal"]


def test_docker_reads_it() -> None:
    """The tool itself finds nothing wrong, where it is installed with its compose part."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], check=False, capture_output=True).returncode:
        pytest.skip("There is no docker command with a compose part to ask.")
    command = [docker, "compose", "config", "--quiet"]
    read = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert read.returncode == 0, read.stderr
