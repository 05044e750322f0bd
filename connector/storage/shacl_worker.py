"""The process in which pySHACL judges: it has no network, limited memory and time, and may be killed at any moment.

Started as a script by `judging.Judges`. It speaks over its pipes: a line of JSON and as many bytes of N-Triples as that
line says in, a line of JSON out. Shapes are sent once and kept, harvested, for the records to come.
"""

import contextlib
import json
import resource
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if __name__ == "__main__":  # as a script it finds the package beside itself, installed or not
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from pyoxigraph import RdfFormat, Triple
from pyoxigraph import parse as engine_parse

from connector.errors import InvalidInput
from connector.storage.shacl_terms import packed
from connector.storage.sparql_worker import end_with_parent, hold

if TYPE_CHECKING:
    from connector.standards.dcat.shacl.judge import Judge


def limit_time(seconds: float) -> None:
    """Let the process be ended when it uses more processor time than that from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    judges: dict[str, Judge] = {}
    for line in requests:
        request = json.loads(line)
        limit_time(request["seconds"])
        parts = [_triples(requests.read(request[name])) for name in ("shapes", "record", "background")]
        try:
            said = answer(judges, request["digest"], *parts)
        except InvalidInput as refusal:
            said = {"refused": refusal.message}
        except MemoryError:
            said = {"refused": "out of memory"}
        answers.write(json.dumps(said, separators=(",", ":")).encode() + b"\n")
        answers.flush()


def answer(
    judges: "dict[str, Judge]", digest: str, shapes: list[Triple], record: list[Triple], background: list[Triple]
) -> dict[str, Any]:
    """Judge one record."""
    if digest not in judges:
        from connector.standards.dcat.shacl.judge import Judge  # noqa: PLC0415 - loaded by `main` before the process is held

        judges[digest] = Judge(shapes)
    return {"results": [packed(each) for each in judges[digest].results(record, background)]}


def _triples(data: bytes) -> list[Triple]:
    return [quad.triple for quad in engine_parse(data, format=RdfFormat.N_TRIPLES)]


def main() -> None:
    """Load what is needed, hold the process, say so, and serve."""
    import connector.standards.dcat.shacl.judge  # noqa: F401, PLC0415 - while files and memory are to be had

    taken = hold(int(sys.argv[1]))
    end_with_parent(sys.stdin.fileno())
    sys.stdout.buffer.write(json.dumps({"taken": taken}).encode() + b"\n")
    sys.stdout.buffer.flush()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
