"""How long it takes to draft a hundred small files, and one of ten gigabytes.

The small ones are the files of the demo over and over, ten formats and versions; the large one is a NetCDF-4 file whose
values were never written, so that it takes no room on the disk.
"""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from tests.bench.running import show

DEMO = Path(__file__).resolve().parents[2] / "connector" / "demo" / "data"
COUNT = 100
LARGE = (10_000, 360, 720)


def drafted(*names: Path) -> tuple[list[dict[str, object]], float, float]:
    """Return what the command prints, the seconds it took, and the seconds of processors it used, readers included."""
    before, began = os.times(), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "connector", "dataset", "draft", "--each", *map(str, names)],
        capture_output=True,
        check=True,
    )
    took, after = time.monotonic() - began, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return [json.loads(line) for line in done.stdout.splitlines()], took, used


def large(path: Path) -> Path:
    """Make a file whose header is small and whose values are 10 GB."""
    with h5py.File(path, "w") as file:
        for name, units, values in (
            ("time", "days since 2000-01-01", np.arange(LARGE[0], dtype="f8")),
            ("lat", "degrees_north", np.linspace(-89.75, 89.75, LARGE[1])),
            ("lon", "degrees_east", np.linspace(-179.75, 179.75, LARGE[2])),
        ):
            axis = file.create_dataset(name, data=values)
            axis.make_scale(name)
            axis.attrs["units"] = units
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        h5py.h5d.create(file.id, b"t2m", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(LARGE), creation)
        for position, name in enumerate(("time", "lat", "lon")):
            file["t2m"].dims[position].attach_scale(file[name])
    return path


def main() -> None:
    """Draft them, and print the figures."""
    with tempfile.TemporaryDirectory(prefix="greendeal-bench-") as made:
        folder = Path(made) / "hundred"
        folder.mkdir()
        files = sorted(path for path in DEMO.glob("[!.]*") if path.suffix != ".toml")
        for number, path in zip(range(COUNT), itertools.cycle(files), strict=False):
            shutil.copy(path, folder / f"{number:03}-{path.name}")
        lines, took, used = drafted(folder)
        _, one, _ = drafted(files[0])
        path = large(Path(made) / "large.nc")
        (line,), header, _ = drafted(path)
    show([
        (f"{len(lines)} small files are drafted in", f"{took:.1f} s"),
        ("of processors, all processes", f"{used:.1f} s"),
        ("one small file, from the command to its end", f"{one:.1f} s"),
        (f"a file of {int(str(line['byteSize'])) / 1e9:.1f} GB, from the command to its end", f"{header:.1f} s"),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
