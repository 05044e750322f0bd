"""What an operator sets, in the file or by a variable, and what is said when it is wrong."""

from pathlib import Path
from typing import Any

import pytest

from connector.errors import InvalidInput
from connector.settings import FILE, Settings, check, load

GOOD = 'participant = "did:web:a.example"\nname = "A"\n[server]\nport = 8081\n'


def loaded(folder: Path, text: str = GOOD, **environment: str) -> Settings:
    """Return the settings of a file with this text under these variables."""
    (folder / FILE).write_text(text, encoding="utf-8")
    return load(folder, environment)


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    """An operator changes one value without touching the file, lists too."""
    found = loaded(tmp_path, GREENDEAL_SERVER__PORT="8082", GREENDEAL_OUTBOUND__PORTS="[443, 8443]")
    assert (found.server.port, found.outbound.ports) == (8082, (443, 8443))


def test_variables_of_the_command_are_no_settings(tmp_path: Path) -> None:
    """Whoever sets the command's own variables for a shell can still start a connector in it."""
    own = {f"GREENDEAL_{name}": "x" for name in ("DATA", "URL", "API_KEY", "OUTPUT")}
    assert loaded(tmp_path, **own).server.port == 8081


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("GREENDEAL_PROT", "1", r"no setting 'prot'\. .*GREENDEAL_PROT(?s:.*)name, description"),
        ("GREENDEAL_SERVER__PROT", "1", r"no setting 'prot' in \[server\](?s:.*)host, port"),
        ("GREENDEAL_SERVER__PORT", "many", r"'server\.port' is wrong"),
        ("GREENDEAL_NAME__FIRST", "A", "There is no setting 'first' in 'name'"),
        ("GREENDEAL_OUTBOUND__PORTS", "[443", "array"),
        ("GREENDEAL_LOG_LEVEL", "loud", "loud"),
        ("GREENDEAL_OUTBOUND__NETWORKS", '["ten"]', "'outbound.networks' is wrong: 'ten' is no range"),
    ],
)
def test_a_wrong_variable_is_refused(tmp_path: Path, variable: str, value: str, said: str) -> None:
    """A connector does not start on a setting that it does not know or cannot read, and names it."""
    with pytest.raises(InvalidInput, match=said):
        loaded(tmp_path, **{variable: value})


def test_loopback_and_a_public_address_do_not_go_together(tmp_path: Path) -> None:
    """What is for trying things out on one machine never opens a connector that others reach."""
    with pytest.raises(InvalidInput, match=r"for demonstrations on one machine, but the public address is a\.example"):
        loaded(
            tmp_path,
            GREENDEAL_SERVER__PUBLIC_URL="https://a.example",
            GREENDEAL_OUTBOUND__ALLOW_LOOPBACK="true",
        )


@pytest.mark.parametrize(
    ("server", "data", "has_worker", "url"),
    [
        ({}, {}, True, "http://127.0.0.1:8080"),
        ({}, {"port": 9080}, True, "http://127.0.0.1:9080"),
        ({}, {"port": 9080, "certificate": "x.pem", "host": "10.0.0.1"}, True, "https://10.0.0.1:9080"),
        ({"public_url": "https://a.example/"}, {}, False, "https://a.example"),
        ({"public_url": "https://a.example"}, {"port": 9080}, True, "https://a.example"),
        ({"public_url": "https://a.example"}, {"public_url": "https://d.example/"}, True, "https://d.example"),
        ({}, {"worker": False, "port": 9080}, False, "http://127.0.0.1:8080"),
        ({}, {"accel": "/shelf", "port": 9080}, False, "http://127.0.0.1:8080"),
    ],
)
def test_data_has_an_address_that_somebody_serves(
    server: dict[str, Any], data: dict[str, Any], has_worker: bool, url: str, tmp_path: Path
) -> None:
    """One public address or two, with a data worker or without: what others are told is where the bytes are."""
    made = check({"participant": "did:web:a.example", "name": "A", "server": server, "data": data}, tmp_path, "here")
    assert (made.has_data_worker, made.data_url) == (has_worker, url)
