"""What an operator can set: one frozen tree, read once from `connector.toml` and `GREENDEAL_…` variables.

Only the program's top (`app.py`, `cli.py`, the demo) sees settings; everything below is handed plain values.
A variable is named after the key, `GREENDEAL_` before it and `__` between the parts: `GREENDEAL_SERVER__PORT=8101`.
It wins over the file.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from connector.errors import InvalidInput

FILE = "connector.toml"
PREFIX = "GREENDEAL_"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the settings file; unknown keys are refused."""


class Server(_Part, frozen=True):
    """Where the connector listens and under which address others reach it."""

    host: str = "127.0.0.1"
    """Address of this machine to listen on; `0.0.0.0` is all of them."""
    port: int = 8080
    """Port to listen on."""
    public_url: str = ""
    """Address others use, without a slash at the end; empty: `http://host:port`."""


class Storage(_Part, frozen=True):
    """Where rows, files and projections are kept."""

    database: str = ""
    """SQLAlchemy URL; empty: SQLite in the data folder."""
    upload_bytes: int = 4 * 1024**3
    """Largest file that may be registered, in bytes."""


class Drafting(_Part, frozen=True):
    """Records from files that lie on this machine."""

    folders: tuple[str, ...] = ()
    """Folders below which a provider may name files by their path instead of uploading them; none: uploads only."""


class Bucket(_Part, frozen=True):
    """A bucket of one's own in an S3 store, from which consumers fetch in the format `AmazonS3-PULL`."""

    name: str = ""
    """Its name; empty: the format is not offered."""
    region: str = "us-east-1"
    """The store's region."""
    endpoint: str = ""
    """The store's address, scheme, host and port; empty: Amazon's."""
    key_id: str = ""
    """Id of a key that may put, read and delete objects under `transfers/`."""
    secret: str = ""
    """That key's secret; better it comes from the environment."""


class Data(_Part, frozen=True):
    """How the bytes of datasets leave."""

    worker: bool = True
    """Send them from a small process of their own, on a port of its own."""
    host: str = ""
    """Address for that process to listen on; empty: the server's."""
    port: int = 0
    """Port for it; 0: any that is free, or no such process where `server.public_url` is set."""
    public_url: str = ""
    """Address others fetch data from, without a slash at the end; empty: the server's if set, else the port's."""
    certificate: str = ""
    """File with a certificate chain, for that process to end TLS itself."""
    key: str = ""
    """File with the certificate's private key; empty: it is in the same file."""
    accel: str = ""
    """Path under which an nginx in front has the folder `objects`, to let nginx send the files; see the how-to."""


class Outbound(_Part, frozen=True):
    """What the one outbound HTTP client may reach."""

    allow_http: bool = False
    """Speak to peers without TLS."""
    allow_loopback: bool = False
    """Speak to peers on this machine; for tests and demonstrations."""
    ports: tuple[int, ...] = (443,)
    """Ports that may be called; any port where loopback is allowed."""
    networks: tuple[str, ...] = ()
    """Ranges that may be called although they are not public, such as `10.20.0.0/16` of a closed data space."""


class Reading(_Part, frozen=True):
    """Search and SPARQL."""

    open: bool = False
    """Let anyone read `/search` and `/sparql` without an API key."""
    sparql_workers: int = 1
    """Processes that answer SPARQL queries."""
    sparql_seconds: float = 10.0
    """Longest time one query may run, in seconds."""


class Validation(_Part, frozen=True):
    """How pySHACL looks after the check of records."""

    audit: float = 0.02
    """Share of the accepted records that pySHACL judges once more, in the background; from 0 to 1."""
    seconds: float = 30.0
    """Longest time pySHACL may take for one record, in seconds."""
    memory_bytes: int = 1024**3
    """Address space that the process of pySHACL may have, in bytes."""


class Federation(_Part, frozen=True):
    """Crawling of peers' catalogs."""

    crawl_seconds: int = 3600
    """Time between two crawls of one peer, in seconds; 0: only on request."""


class Publishing(_Part, frozen=True):
    """How records are named and looked after."""

    base: str = ""
    """Address under which new datasets are named, without a slash at the end, such as a w3id.org address that leads
    here; empty: `datasets` below the server's address."""
    check_days: float = 7.0
    """Days after which the addresses in our records are asked again whether they answer; 0: only on request."""


class Settings(_Part, frozen=True):
    """Everything an operator can set."""

    participant: str
    """IRI under which the other participants know this one, such as `did:web:weather.example`."""
    name: str
    """Name shown to people."""
    description: str = ""
    """One sentence about the catalog, for people; empty: made from the name."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """From which importance on a line is logged."""
    server: Server = Server()
    storage: Storage = Storage()
    drafting: Drafting = Drafting()
    data: Data = Data()
    bucket: Bucket = Bucket()
    outbound: Outbound = Outbound()
    reading: Reading = Reading()
    validation: Validation = Validation()
    federation: Federation = Federation()
    publishing: Publishing = Publishing()
    folder: Path = Path()
    """The data folder; set by the program, not in the file."""

    @property
    def public_url(self) -> str:
        """Address under which others reach this connector, without a slash at the end."""
        return self.server.public_url.rstrip("/") or f"http://{self.server.host}:{self.server.port}"

    @property
    def home(self) -> str:
        """Address below which the datasets are shown, without a slash at the end."""
        return f"{self.public_url}/datasets"

    @property
    def about(self) -> str:
        """One sentence about the catalog."""
        return self.description or f"Datasets shared by {self.name}."

    @property
    def has_data_worker(self) -> bool:
        """Whether files are sent from a process of their own."""
        reachable = bool(self.data.port or self.data.public_url or not self.server.public_url)
        return self.data.worker and not self.data.accel and reachable

    @property
    def data_host(self) -> str:
        """Address of this machine on which the data worker listens."""
        return self.data.host or self.server.host

    @property
    def data_url(self) -> str:
        """Address under which others fetch data, without a slash at the end; the server's serves it always."""
        if self.data.public_url:
            return self.data.public_url.rstrip("/")
        if self.server.public_url or not (self.has_data_worker and self.data.port):
            return self.public_url
        return f"{'https' if self.data.certificate else 'http'}://{self.data_host}:{self.data.port}"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the database."""
        return self.storage.database or f"sqlite:///{self.folder / 'connector.db'}"


def load(folder: Path, environment: Mapping[str, str]) -> Settings:
    """Read `connector.toml` in `folder`, overlaid by the variables of `environment`.

    Raises:
        InvalidInput: no file, not TOML, an unknown or ill-typed key, or a combination that is unsafe.
    """
    path = folder / FILE
    if not path.is_file():
        raise InvalidInput(
            "There is no settings file.", where=str(path), fix=f"Run `greendeal init --data {folder} --participant …`."
        )
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(
            f"The settings file is not TOML: {error}.", where=str(path), fix="Correct that line."
        ) from None
    variables = sorted(key for key in environment if key.startswith(PREFIX) and key not in NOT_SETTINGS)
    for key in variables:
        _overlay(tree, key, environment[key])
    return check(tree, folder.resolve(), ", ".join([str(path), *variables]))


NOT_SETTINGS = frozenset({"GREENDEAL_DATA", "GREENDEAL_URL", "GREENDEAL_API_KEY", "GREENDEAL_OUTPUT"})
"""Variables of the command itself, which are no settings of a connector."""


def check(tree: Mapping[str, Any], folder: Path, where: str) -> Settings:
    """Return the settings of `tree` for a data folder, or raise InvalidInput when they are wrong or unsafe."""
    try:
        settings = msgspec.convert({**tree, "folder": str(folder)}, Settings, strict=False, dec_hook=_decoded)
    except msgspec.ValidationError as error:
        raise _wrong(str(error), where) from None
    for network in settings.outbound.networks:
        try:
            ip_network(network)
        except ValueError:
            raise _wrong(f"{network!r} is no range of addresses - at `$.outbound.networks`", where) from None
    host = urlsplit(settings.public_url).hostname or ""
    if settings.outbound.allow_loopback and host not in {"127.0.0.1", "localhost", "::1"}:
        raise InvalidInput(
            f"outbound.allow_loopback is for demonstrations on one machine, but the public address is {host}.",
            where=where,
            fix="Remove outbound.allow_loopback, or serve on 127.0.0.1 only.",
        )
    return settings


def _wrong(said: str, where: str) -> InvalidInput:
    """Return the refusal of a tree that msgspec does not take, in an operator's words."""
    text, _, place = said.partition(" - at `$")
    path = place.strip(".`")
    if unknown := re.search(r"unknown field `(\w+)`", text):
        parts = {field.name: field.type for field in msgspec.structs.fields(Settings)}
        keys = ", ".join(name for name in parts.get(path, Settings).__struct_fields__ if name != "folder")
        table = f" in [{path}]" if path else ""
        return InvalidInput(f"There is no setting {unknown[1]!r}{table}.", where=where, fix=f"Use one of: {keys}.")
    named = f" {path!r}" if path else ""
    return InvalidInput(f"The setting{named} is wrong: {text}.", where=where, fix="See docs/reference/settings.md.")


def written(values: Mapping[str, Any], folder: Path, where: str) -> str:
    """Return `values` as a settings file, checked; what is empty is left to its default.

    Raises:
        InvalidInput: a value is wrong, or the combination is unsafe.
    """
    check(values, folder, where)
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if not isinstance(value, Mapping)]
    for key, part in values.items():
        if isinstance(part, Mapping) and (
            kept := {name: value for name, value in part.items() if value not in {"", False}}
        ):
            lines += ["", f"[{key}]", *(f"{name} = {json.dumps(value)}" for name, value in kept.items())]
    return "\n".join(lines) + "\n"


def _decoded(kind: type, value: Any) -> Any:
    """Read what the settings hold beyond plain values: the data folder."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"{value!r} is no {kind.__name__}")


def _overlay(tree: dict[str, Any], variable: str, text: str) -> None:
    """Put the value of a variable in its place; a list is written as in the file: `[443, 8443]`."""
    *parts, last = variable.removeprefix(PREFIX).lower().split("__")
    for part in parts:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise InvalidInput(
                f"There is no setting {last!r} in {part!r}.", where=variable, fix="See docs/reference/settings.md."
            )
    tree[last] = text
    if text.startswith("["):
        with suppress(tomllib.TOMLDecodeError):
            tree[last] = tomllib.loads(f"value = {text}")["value"]
