"""A format whose files say what its reader shall do: a plug-in like any third party's."""

from pathlib import Path
from typing import Any, Final

from connector.formats import Limits, describe

PROBE: Final = '''
"""A format whose files say what its reader shall do."""
import os, resource, signal, socket, sys, time
from pathlib import Path
from connector.errors import InvalidInput
from connector.formats import Facts

class Probe:
    name, title, media_type, file_type, suffixes = "probe", "Probe", "application/x-probe", None, (".probe",)
    markers = ("probe.txt",)

    def matches(self, head, filename):
        return head.startswith(b"PROBE ")

    def describe(self, path, limits):
        if path.is_dir():
            seen = sorted(os.listdir(path)), os.listdir(), os.getcwd() == os.environ["TMPDIR"]
            return Facts(format="Probe", notes=(str(seen), str(path)))
        return Facts(format="Probe", notes=(str(getattr(self, path.read_text().split()[1])(path)),))

    def surroundings(self, path):
        return sorted(os.listdir(path.parent)), path.name, sorted(os.environ), os.getcwd() == str(path.parent)

    def limits(self, path):
        names = ("CPU", "FSIZE", "NOFILE", "AS", "CORE")
        return [resource.getrlimit(getattr(resource, "RLIMIT_" + name))[0] for name in names]

    def raise_limits(self, path):
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))

    def network(self, path):
        try:
            socket.create_connection(("127.0.0.1", int(path.read_text().split()[2])), 2).close()
        except OSError as no:
            return type(no).__name__
        return "connected"

    def write(self, path):
        try:
            with open(path.parent / "more", "wb") as out:
                out.write(b"x")
        except OSError as no:
            return no.strerror

    def speak(self, path):
        os.write(1, b"noise that a C library prints")
        return "spoken"

    def refuse(self, path):
        raise InvalidInput("No.", where="here", fix="mend", reasons=("because",))

    def stumble(self, path):
        raise ValueError("the secret " + path.read_text())

    def sleep(self, path):
        time.sleep(60)

    def spin(self, path):
        while True:
            pass

    def crash(self, path):
        os.kill(os.getpid(), signal.SIGSEGV)

    def leave(self, path):
        os._exit(3)

    def memory(self, path):
        return len(bytearray(8 << 30))

    def flood(self, path):
        return "x" * (3 << 20)

    def servers_process(self, path):
        return os.getppid()

    def kill_server(self, path):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)

    def leave_another(self, path):
        pid = os.fork()
        if not pid:
            os.setpgid(0, os.getppid())
            time.sleep(60)
            os._exit(0)
        return pid

    def handles(self, path):
        found = []
        for name in os.listdir("/proc/self/fd"):
            try:
                found.append(os.readlink("/proc/self/fd/" + name).split(":")[0])
            except OSError:  # the one that listed them
                pass
        return sorted(found)

    def read_slowly(self, path):
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 20):
                time.sleep(0.05)

    def lie(self, path):
        for fd in range(3, 20):
            try:
                os.write(fd, b'{"type": "found", "facts": {"format": "X", "epsg": "everything"}}')
            except OSError:
                pass
        os._exit(0)

PROBE = Probe()
'''


def run(tmp_path: Path, command: str, limits: Limits | None = None, **more: Any) -> str:
    """Let the probe do `command`; returns what it saw."""
    path = tmp_path / "it.probe"
    path.write_text(f"PROBE {command}")
    return describe(path, limits=limits, **more).notes[0]
