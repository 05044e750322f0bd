"""What the tests of readers share."""

import sys
from collections.abc import Iterator

import pytest

from connector.formats import registry
from tests.formats.probing import PROBE


@pytest.fixture
def probe(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the probe as a distribution with an entry point."""
    site = tmp_path_factory.mktemp("site")
    (site / "probing.py").write_text(PROBE)
    about = site / "probing-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: probing\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[connector.formats]\nprobe = probing:PROBE\n")
    monkeypatch.syspath_prepend(str(site))
    registry.plug_ins.cache_clear()
    yield
    registry.plug_ins.cache_clear()
    sys.modules.pop("probing", None)
