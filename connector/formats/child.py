"""The reading process: `python -m connector.formats.child`. Reads one job from stdin, answers on stdout, ends.

It imports as little as it can before the limits are set, and the reader only afterwards. Everything it says is
untrusted to the parent, which decodes it against a type.
"""

import ctypes
import os
import resource
import sys
from pathlib import Path
from typing import Final

import msgspec

from connector.errors import InvalidInput, TooLarge
from connector.formats import registry
from connector.formats.description import Limits
from connector.formats.isolation import Found, Job, Refused

CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000


def main() -> None:
    """Do the one job, and end without running anybody's exit handlers."""
    answer = os.dup(1)
    os.dup2(2, 1)  # a C library that prints must not speak into the answer
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    leave_network()
    confine(job.limits)
    raw = msgspec.json.encode(work(job))
    while raw:
        raw = raw[os.write(answer, raw) :]
    os._exit(0)


def confine(limits: Limits) -> None:
    """Set the limits on this process; none can be raised again."""
    for what, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
    ):
        # SIGXCPU says why the process ends; at the hard limit, a second later, there is only SIGKILL.
        grace = 1 if what == resource.RLIMIT_CPU else 0
        hard = resource.getrlimit(what)[1]
        limit = value + grace if hard == resource.RLIM_INFINITY else min(value + grace, hard)
        resource.setrlimit(what, (min(value, limit), limit))


def leave_network() -> bool:
    """Move into a network namespace without interfaces; False where the system does not allow it.

    Without it the dead proxies and the readers' own guards are what is left, as on systems other than Linux.
    """
    if not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)


def work(job: Job) -> Found | Refused:
    """Read the file; a refusal is an answer, and so is a reader that stumbles over the file."""
    try:
        chosen = registry.by_name(job.format)
        return Found(facts=chosen.describe(Path(job.path), job.limits))
    except InvalidInput as no:
        return Refused(
            message=no.message, where=no.where, fix=no.fix, reasons=no.reasons, too_large=isinstance(no, TooLarge)
        )
    except MemoryError:
        return Refused(message="Reading the file takes more memory than allowed.", too_large=True)
    except Exception as error:  # noqa: BLE001 - a foreign file may make a reader raise anything; the parent refuses it
        # The text of a library's error may quote the file or paths of this machine: only its kind is passed on.
        return Refused(message=f"The file cannot be read: the reader stopped with {type(error).__name__}.")


if __name__ == "__main__":
    main()
