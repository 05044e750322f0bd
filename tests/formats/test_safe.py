"""SAFE products of the Sentinel missions, zipped and as folders, whole, incomplete and hostile."""

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import InvalidInput, TooLarge
from connector.formats import Facts, Limits, describe, detect
from connector.formats.containers.members import MEMBERS
from connector.formats.imagery import safe
from connector.formats.registry import detect_folder
from tests.formats import hostile, safe_products

FOUR: Final[list[Callable[[], dict[str, bytes]]]] = [
    safe_products.sentinel1,
    safe_products.sentinel2,
    safe_products.sentinel3,
    safe_products.sentinel5p,
]
EXPECTED: Final[dict[str, dict[str, Any]]] = {
    "sentinel1": {
        "bbox": (9.4, 41.5, 12.9, 43.4),
        "period": ("2023-03-04T05:06:07.25", "2023-03-04T05:06:32"),
        "scene": ("Sentinel-1A", ("SAR",), "GRD", "IW", None, 47500, None, ("VV", "VH")),
        "variables": ["VV", "VH"],
        "epsg": None,
    },
    "sentinel2": {
        "bbox": (179.0, -18.0, -179.4, -17.0),
        "period": ("2022-01-02T03:04:05.006", "2022-01-02T03:04:15"),
        "scene": ("Sentinel-2B", ("MSI",), "S2MSI1C", None, None, None, 7.5, ()),
        "variables": ["B02", "B8A"],
        "epsg": None,
    },
    "sentinel3": {
        "bbox": (-180.0, 80.0, 180.0, 90.0),
        "period": ("2021-06-07T08:09:10.111213", "2021-06-07T08:12:10.111213"),
        "scene": ("Sentinel-3A", ("OLCI",), "OL_1_EFR___", None, None, None, 33.3, ()),
        "variables": ["Oa01_radiance", "Oa02_radiance"],
        "epsg": None,
    },
    "sentinel5p": {
        "bbox": (170.0, -80.0, -170.0, 80.0),
        "period": ("2020-05-06T10:00:00", "2020-05-06T11:41:00"),
        "scene": ("Sentinel-5P", ("TROPOMI",), "L2__NO2___", None, None, None, None, ()),
        "variables": ["S5P_OFFL_L2__NO2"],
        "epsg": None,
    },
}


def check(found: Facts, name: str) -> None:
    """Compare facts with those of a mission."""
    wanted = EXPECTED[name]
    assert found.kind == "dataset"
    assert found.bbox is not None
    assert (found.bbox.west, found.bbox.south, found.bbox.east, found.bbox.north) == wanted["bbox"]
    assert found.period is not None
    assert (found.period.begin, found.period.end) == wanted["period"]
    assert found.scene is not None
    assert tuple(getattr(found.scene, each) for each in found.scene.__struct_fields__) == wanted["scene"]
    assert [each.name for each in found.variables] == wanted["variables"]
    assert found.epsg == wanted["epsg"]
    assert not any("missing" in note or "truncated" in note for note in found.notes)


@pytest.mark.parametrize("product", FOUR, ids=lambda each: each.__name__)
def test_a_product_is_the_same_zipped_and_as_a_folder(product: Callable[[], dict[str, bytes]], tmp_path: Path) -> None:
    """Place, time, satellite, instrument, type, bands and cloud cover of each mission, positions latitude first."""
    files = product()
    packed = safe_products.zipped(tmp_path / "a.zip", files)
    folder = safe_products.unfolded(tmp_path / "X.SAFE", files)
    assert detect(packed.read_bytes(), "a.zip").name == "safe"
    assert detect_folder([each.name for each in folder.iterdir()], "X").name == "safe"
    zipped, unfolded = safe.read(packed, Limits()), safe.read(folder, Limits())
    check(zipped, product.__name__)
    check(unfolded, product.__name__)
    assert (zipped.format, unfolded.format) == ("SAFE (zip)", "SAFE (folder)")


def test_a_folder_and_an_archive_are_described_in_the_child(tmp_path: Path) -> None:
    """The whole way: staged, detected, read in the limited process; an archive without its outer folder, too."""
    files = safe_products.sentinel1()
    check(describe(safe_products.unfolded(tmp_path / "S1A.SAFE", files)), "sentinel1")
    check(describe(safe_products.zipped(tmp_path / "b", dict(reversed(files.items())), root="")), "sentinel1")


def test_tiles_in_different_zones_have_no_system_in_common(tmp_path: Path) -> None:
    """Two tiles in two zones: no EPSG code, no single tile, both told; one tile alone has both."""
    files = safe_products.sentinel2()
    found = safe.read(safe_products.zipped(tmp_path / "a.zip", files), Limits())
    assert any("2 reference systems: EPSG:32701, EPSG:32760" in note for note in found.notes)
    assert {"T01KAB", "T60KZZ"} <= set(found.keywords)
    assert (found.spatial_resolution_metres, found.variables[0].long_name) == (10, "central wavelength 492.1 nm")
    one = {name: content for name, content in files.items() if "T60KZZ" not in name}
    found = safe.read(safe_products.zipped(tmp_path / "b.zip", one), Limits())
    assert (found.epsg, found.scene and found.scene.tile) == (32701, "T01KAB")


def test_a_product_without_its_images_is_metadata(tmp_path: Path) -> None:
    """None of the files with data is there: it only describes them; one of two: it is damaged; shorter: truncated."""
    files = safe_products.sentinel1()
    bare = {name: content for name, content in files.items() if not name.startswith("measurement")}
    found = safe.read(safe_products.zipped(tmp_path / "a.zip", bare), Limits())
    assert (found.kind, found.format) == ("metadata", "SAFE (zip, metadata only)")
    half = {name: content for name, content in files.items() if "vh" not in name}
    found = safe.read(safe_products.zipped(tmp_path / "b.zip", half), Limits())
    assert found.kind == "dataset"
    assert any("1 of 2 files of the product are missing, it is damaged: s1a-iw-grd-vh.tiff" in n for n in found.notes)
    short = {name: content[:-1] if "vh" in name else content for name, content in files.items()}
    found = safe.read(safe_products.zipped(tmp_path / "c.zip", short), Limits())
    assert any("may be truncated: s1a-iw-grd-vh.tiff" in note for note in found.notes)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_archive_cut_off_is_refused(data: st.DataObject, tmp_path: Path) -> None:
    """An archive has its directory at the end: without it there is no product."""
    whole = safe_products.zipped(tmp_path / "a.zip", safe_products.sentinel3()).read_bytes()
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(InvalidInput, match="damaged or cut off"):
        safe.read(cut, Limits())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10**6), bits=st.integers(1, 255))
def test_a_changed_byte_is_refused_or_harmless(at: int, bits: int, tmp_path: Path) -> None:
    """A byte changed anywhere in an archive: a refusal, or facts that keep their types."""
    raw = bytearray(safe_products.zipped(tmp_path / "a.zip", safe_products.sentinel2()).read_bytes())
    raw[at % len(raw)] ^= bits
    (tmp_path / "b.zip").write_bytes(raw)
    try:
        found = safe.read(tmp_path / "b.zip", Limits())
    except InvalidInput:
        return
    assert found.format.startswith("SAFE")


@pytest.mark.parametrize(
    ("positions", "why"),
    [
        ("", "none"),
        ("41.5 12.5 41.9", "an odd number"),
        ("north east", "words"),
        ("141.5 12.5 141.9 9.4 143.4 9.7", "latitudes beyond the pole"),
        ("nan nan 1 1", "not a number"),
    ],
)
def test_a_footprint_that_is_none_leaves_the_place_open(positions: str, why: str, tmp_path: Path) -> None:
    """Whatever is wrong with it, there is no box, and a sentence says so."""
    files = safe_products.sentinel1()
    files["manifest.safe"] = files["manifest.safe"].replace(
        b"41.5,12.5 41.9,9.4 43.4,9.7 43.0,12.9", positions.encode()
    )
    found = safe.read(safe_products.unfolded(tmp_path / "X.SAFE", files), Limits())
    assert found.bbox is None, why
    assert any("no footprint" in note for note in found.notes)


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "C:/evil", "a/../../evil", "..\\evil"])
def test_a_member_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    """Threat: names that lie outside of the archive once it is unpacked, which it never is."""
    path = safe_products.zipped(tmp_path / "a.zip", safe_products.sentinel1())
    with zipfile.ZipFile(path, "a") as out:
        out.writestr(name, "x")
    with pytest.raises(InvalidInput, match="leads out of it"):
        safe.read(path, Limits())


def test_a_member_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """Threat: a symbolic link in an archive, in place of a file of metadata."""
    path = safe_products.zipped(tmp_path / "a.zip", safe_products.sentinel1())
    link = zipfile.ZipInfo("X.SAFE/annotation/x.xml")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as out:
        out.writestr(link, "/etc/passwd")
    with pytest.raises(InvalidInput, match="is a link"):
        safe.read(path, Limits())


def test_bombs_are_refused(tmp_path: Path) -> None:
    """Threat: members that unpack to much more than they are, in one piece, by their number, or by a lying header."""
    path = safe_products.zipped(tmp_path / "a.zip", safe_products.sentinel1())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as out:
        out.writestr("X.SAFE/measurement/big.tiff", bytes(100 << 20))
    with pytest.raises(TooLarge, match="would unpack to"):
        safe.read(path, Limits())
    many = safe_products.zipped(tmp_path / "b.zip", safe_products.sentinel1())
    with zipfile.ZipFile(many, "a") as out:
        for number in range(MEMBERS):
            out.writestr(f"{number}", "")
    with pytest.raises(TooLarge, match="members"):
        safe.read(many, Limits())


def test_a_long_file_of_metadata_is_refused(tmp_path: Path) -> None:
    """Threat: a manifest of 40 MB; it is not read, whether the archive says so or the folder."""
    files = safe_products.sentinel1()
    files["manifest.safe"] += b" " * (40 << 20)
    for path in (safe_products.zipped(tmp_path / "a.zip", files), safe_products.unfolded(tmp_path / "X.SAFE", files)):
        with pytest.raises(TooLarge, match="A file of metadata has"):
            safe.read(path, Limits())


def test_entities_of_a_manifest_are_refused(tmp_path: Path) -> None:
    """Threat: an external entity in the manifest or in the metadata of Sentinel-2; no server is asked."""
    with hostile.counting_server() as (url, hits):
        for name in ("manifest.safe", "MTD_MSIL1C.xml"):
            files = safe_products.sentinel2()
            body = files[name].removeprefix(b'<?xml version="1.0" encoding="UTF-8"?>')
            files[name] = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{url}/x">]>'.encode() + body
            with pytest.raises(InvalidInput, match="document type declaration"):
                describe(safe_products.unfolded(tmp_path / name / "X.SAFE", files))
        assert hits == []


def test_a_link_in_a_folder_is_refused(tmp_path: Path) -> None:
    """Threat: a link in the folder of a product, to a file of the machine."""
    secret = tmp_path / "passwd"
    secret.write_text(hostile.CONFIDENTIAL)
    folder = safe_products.unfolded(tmp_path / "X.SAFE", safe_products.sentinel2())
    (folder / "MTD_MSIL1C.xml").unlink()
    (folder / "MTD_MSIL1C.xml").symlink_to(secret)
    with pytest.raises(InvalidInput, match="link") as no:
        describe(folder)
    assert hostile.CONFIDENTIAL[:8] not in str(no.value)


def test_what_is_no_product_is_refused(tmp_path: Path) -> None:
    """No manifest, several, another document in its place, or one that is cut off."""
    files = safe_products.sentinel1()
    for change, said in (
        ({"manifest.safe": None}, "no manifest"),
        ({"manifest.safe": b"<html/>"}, "outermost element is not XFDU"),
        ({"manifest.safe": files["manifest.safe"][:300]}, "cut off"),
        ({"other/manifest.safe": files["manifest.safe"]}, "holds 2 products"),
    ):
        changed = {name: content for name, content in {**files, **change}.items() if content is not None}
        path = safe_products.zipped(tmp_path / "a.zip", changed)
        with pytest.raises(InvalidInput, match=said):
            safe.read(path, Limits())
