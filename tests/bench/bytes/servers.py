"""What is measured: a connector with a large file that somebody may fetch, and nginx with the same file."""

import datetime as dt
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import netCDF4
import numpy as np
import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.client import Agreement, Space, Transfer, connect
from tests.bench.running import Served, free_port, member, program, start

NGINX = shutil.which("nginx") or ""
CONFIGURATION = """
daemon off; master_process on; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null crit;
user root;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; default_type application/octet-stream;
  keepalive_requests 1000000; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/certificate.pem;
  server {{ listen 127.0.0.1:{plain}; location = /file {{ alias {file}; }} }}
  server {{ listen 127.0.0.1:{tls} ssl; location = /file {{ alias {file}; }} }}
}}
"""


@dataclass
class House:
    """A connector with the file, and the transfer of somebody who may fetch it."""

    folder: Path
    url: str
    space: Space
    transfer: Transfer

    def object(self) -> Path:
        """Return where the file lies."""
        return max((path for path in (self.folder / "objects").rglob("*") if path.is_file()), key=_size)

    def end(self) -> None:
        """End the transfer at the provider."""
        (running,) = [each for each in self.space.connection.get("/api/transfers") if each["state"] == "STARTED"]
        self.space.connection.post(f"/api/transfers/{running['pid']}/terminate", {"reason": "The bench is over."})

    @contextmanager
    def served(self, place: Path, *, tls: bool) -> Iterator[Served]:
        """Serve it, its data in the clear or under TLS."""
        chain = {"GREENDEAL_DATA__CERTIFICATE": str(place / "certificate.pem")} if tls else {}
        command = [sys.executable, "-m", "connector", "serve", "--data", str(self.folder)]
        made = start(command, f"{self.url}/readyz", program() | chain)
        try:
            yield made
        finally:
            made.stop()


@contextmanager
def house(place: Path, size: int) -> Iterator[House]:
    """Make a connector with a file of about `size` bytes, and a consumer whose transfer of it runs."""
    folder, url, key = _made(place)
    with member(place, "consumer") as consumer:
        made = House(folder, url, connect(url, key), Transfer(consumer.space.connection, ""))
        with made.served(place, tls=False):
            consumer.space.trust(made.space.identity(), "provider")
            made.space.trust(consumer.space.identity(), "consumer")
            dataset = made.space.register(made.space.draft(_file(place, size)).record)["id"]
            offer = made.space.offer(dataset, template="open", automation="accept")["id"]
            consumer.space.crawl("did:web:bytes.example")
            made.transfer = _transfer(consumer.space, dataset, offer)
        yield made


def worker(served: Served) -> psutil.Process:
    """Return the data worker of a connector."""
    for _ in range(200):
        for each in served.process.children():
            if "connector.web.worker" in each.cmdline():
                return each
        time.sleep(0.05)
    raise SystemExit("The connector has started no data worker.")


@contextmanager
def nginx(place: Path, file: Path) -> Iterator[tuple[psutil.Process, str, str]]:
    """Serve the file with nginx; gives its process and both addresses."""
    plain, tls = free_port(), free_port()
    text = CONFIGURATION.format(folder=place, plain=plain, tls=tls, file=file)
    (place / "nginx.conf").write_text(text, encoding="utf-8")
    process = psutil.Popen([NGINX, "-p", str(place), "-c", str(place / "nginx.conf")])
    try:
        time.sleep(0.5)
        yield process, f"http://127.0.0.1:{plain}/file", f"https://127.0.0.1:{tls}/file"
    finally:
        process.terminate()
        process.wait(15)


def certificate(place: Path) -> None:
    """Write a certificate for this machine and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now).not_valid_after(now + dt.timedelta(days=1)).add_extension(names, critical=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signed = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (place / "certificate.pem").write_bytes(signed + private)


def _made(place: Path) -> tuple[Path, str, str]:
    folder, port = place / "provider", free_port()
    command = [sys.executable, "-m", "connector", "init", "--loopback", "--data", str(folder), "--port", str(port)]
    command += ["--participant", "did:web:bytes.example", "--name", "Bytes", "-o", "json"]
    said = subprocess.run(command, check=True, capture_output=True, env=program())
    return folder, f"http://127.0.0.1:{port}", json.loads(said.stdout)["api_key"]


def _file(place: Path, size: int) -> Path:
    """Write a NetCDF file whose one variable has so many bytes, of which no two pieces are alike."""
    path = place / "large.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("row", size >> 20)
        file.createDimension("column", 1 << 20)
        made = file.createVariable("noise", "u1", ("row", "column"), contiguous=True)
        for row in range(size >> 20):
            made[row] = np.random.default_rng(row).integers(0, 256, 1 << 20, dtype="u1")
    return path


def _transfer(consumer: Space, dataset: str, offer: str) -> Transfer:
    wanted = {"peer": "did:web:bytes.example", "dataset": dataset, "offer": offer, "accept": "any"}
    connection = consumer.connection
    pid = connection.post("/api/negotiations", wanted)["pid"]
    while (seen := connection.get(f"/api/negotiations/{pid}"))["state"] != "FINALIZED":
        time.sleep(0.05)
    return Agreement(connection, seen["agreement_id"]).transfer()


def _size(path: Path) -> int:
    return path.stat().st_size
