"""Small SAFE products of four missions, written by hand, as files by name. For tests only."""

import zipfile
from pathlib import Path
from typing import Final

XFDU: Final = (
    '<?xml version="1.0" encoding="UTF-8"?><x:XFDU xmlns:x="urn:ccsds:schema:xfdu:1" '
    'xmlns:s="http://www.esa.int/safe/sentinel-1.0" xmlns:gml="http://www.opengis.net/gml" version="{version}">'
    '<informationPackageMap><x:contentUnit textInfo="{title}"/></informationPackageMap>'
    "<metadataSection>{metadata}</metadataSection><dataObjectSection>{objects}</dataObjectSection></x:XFDU>"
)
DATA: Final = b"pixels"


def data_object(path: str, words: str = "", size: int = len(DATA)) -> str:
    """Return the entry of a file with data."""
    told = f' textInfo="{words}"' if words else ""
    return f'<dataObject><byteStream size="{size}"><fileLocation href="./{path}"{told}/></byteStream></dataObject>'


def acquired(start: str, stop: str | None) -> str:
    """Return the time of the acquisition."""
    end = f"<s:stopTime>{stop}</s:stopTime>" if stop else ""
    return f"<s:acquisitionPeriod><s:startTime>{start}</s:startTime>{end}</s:acquisitionPeriod>"


def platform(family: str, number: str, instrument: str, more: str = "") -> str:
    """Return satellite and instrument."""
    return (
        f"<s:platform><s:familyName>{family}</s:familyName><s:number>{number}</s:number><s:instrument>"
        f'<s:familyName abbreviation="{instrument}">Instrument</s:familyName>{more}</s:instrument></s:platform>'
    )


def footprint(positions: str, element: str = "coordinates") -> str:
    """Return the footprint, latitude first."""
    return f"<s:frameSet><s:footPrint><gml:{element}>{positions}</gml:{element}></s:footPrint></s:frameSet>"


def sentinel1() -> dict[str, bytes]:
    """Return a radar product: positions as pairs with commas, open ring, two polarisations."""
    metadata = (
        acquired("2023-03-04T05:06:07.250000", "2023-03-04T05:06:32.000000")
        + platform("SENTINEL-1", "A", "SAR", "<s:extension><m:instrumentMode xmlns:m='urn:m'><m:mode>IW</m:mode>"
                   "</m:instrumentMode></s:extension>")
        + "<s:orbitReference><s:orbitNumber type='start'>47500</s:orbitNumber></s:orbitReference>"
        + footprint("41.5,12.5 41.9,9.4 43.4,9.7 43.0,12.9")
        + "<p:standAloneProductInformation xmlns:p='urn:p'><p:productType>GRD</p:productType>"
        "<p:transmitterReceiverPolarisation>VV</p:transmitterReceiverPolarisation>"
        "<p:transmitterReceiverPolarisation>VH</p:transmitterReceiverPolarisation></p:standAloneProductInformation>"
    )  # fmt: skip
    paths = ("measurement/s1a-iw-grd-vv.tiff", "measurement/s1a-iw-grd-vh.tiff")
    manifest = XFDU.format(
        version="esa/safe/sentinel-1.0/sentinel-1/sar/level-1",
        title="SENTINEL-1 Level-1 GRD product",
        metadata=metadata,
        objects="".join(data_object(path) for path in paths),
    )
    return {"manifest.safe": manifest.encode(), **dict.fromkeys(paths, DATA)}


def sentinel2() -> dict[str, bytes]:
    """Return a product of two tiles in two zones, with the end of the acquisition only in the product metadata."""
    granules = {
        f"GRANULE/L1C_{tile}_A1_2/MTD_TL.xml": f"<n:T xmlns:n='urn:n'><TILE_ID>S2B_TL_A1_{tile}_N01</TILE_ID>"
        f"<HORIZONTAL_CS_CODE>EPSG:{code}</HORIZONTAL_CS_CODE></n:T>".encode()
        for tile, code in (("T01KAB", 32701), ("T60KZZ", 32760))
    }
    images = [f"GRANULE/L1C_T01KAB_A1_2/IMG_DATA/T01KAB_2_{band}" for band in ("B02", "B8A")]
    product = (
        "<n:P xmlns:n='urn:n'><PRODUCT_START_TIME>2022-01-02T03:04:05.006Z</PRODUCT_START_TIME>"
        "<PRODUCT_STOP_TIME>2022-01-02T03:04:15Z</PRODUCT_STOP_TIME><PRODUCT_TYPE>S2MSI1C</PRODUCT_TYPE>"
        "<PRODUCT_URI>S2B_MSIL1C_X.SAFE</PRODUCT_URI><GENERATION_TIME>2022-01-03T00:00:00Z</GENERATION_TIME>"
        + "".join(f"<IMAGE_FILE>{image}</IMAGE_FILE>" for image in images)
        + "<Spectral_Information physicalBand='B2'><RESOLUTION>10</RESOLUTION><CENTRAL unit='nm'>492.1</CENTRAL>"
        "</Spectral_Information><Spectral_Information physicalBand='B8A'><RESOLUTION>20</RESOLUTION>"
        "<CENTRAL unit='nm'>864</CENTRAL></Spectral_Information>"
        "<Cloud_Coverage_Assessment>7.5</Cloud_Coverage_Assessment></n:P>"
    )
    manifest = XFDU.format(
        version="esa/safe/sentinel/1.1/sentinel-2/msi",
        title="SENTINEL-2 MSI Level-1C User Product",
        metadata=acquired("2022-01-02T03:04:05.006Z", None)
        + platform("SENTINEL", "2B", "MSI")
        + footprint("-17.0 179.0 -17.0 -179.5 -18.0 -179.4 -18.0 179.1 -17.0 179.0"),
        objects="".join(data_object(f"{image}.jp2") for image in images),
    )
    files = {"manifest.safe": manifest.encode(), "MTD_MSIL1C.xml": product.encode(), **granules}
    return {**files, **{f"{image}.jp2": DATA for image in images}}


def sentinel3() -> dict[str, bytes]:
    """Return a product with a file for each quantity and a ring around the North Pole."""
    quantities = {"Oa01_radiance.nc": "Radiance at 400 nm", "Oa02_radiance.nc": "Radiance at 412 nm"}
    metadata = (
        acquired("2021-06-07T08:09:10.111213Z", "2021-06-07T08:12:10.111213Z")
        + platform("Sentinel-3", "A", "OLCI")
        + footprint("80 0 81 90 82 180 81 -90 80 0", "posList")
        + "<p:generalProductInformation xmlns:p='urn:p'><p:productName>S3A_OL_1_EFR.SEN3</p:productName>"
        "<p:productType>OL_1_EFR___</p:productType><p:creationTime>2021-06-08T00:00:00Z</p:creationTime>"
        "</p:generalProductInformation><p:cloudyPixels xmlns:p='urn:p' value='10' percentage='33.300000'/>"
    )
    manifest = XFDU.format(
        version="esa/safe/sentinel/sentinel-3/olci",
        title="SENTINEL-3 OLCI Level 1 Earth Observation Full Resolution Product",
        metadata=metadata,
        objects="".join(data_object(path, words) for path, words in quantities.items()),
    )
    return {"xfdumanifest.xml": manifest.encode(), **dict.fromkeys(quantities, DATA)}


def sentinel5p() -> dict[str, bytes]:
    """Return a product of one NetCDF file with a manifest."""
    metadata = (
        acquired("2020-05-06T10:00:00Z", "2020-05-06T11:41:00Z")
        + platform("SENTINEL-5P", "", "TROPOMI")
        + footprint("-80 -170 -80 170 80 170 80 -170 -80 -170")
        + "<p:productType xmlns:p='urn:p'>L2__NO2___</p:productType>"
    )
    path = "S5P_OFFL_L2__NO2.nc"
    manifest = XFDU.format(version="esa/safe", title="TROPOMI", metadata=metadata, objects=data_object(path))
    return {"manifest.safe": manifest.encode(), path: DATA}


def zipped(path: Path, files: dict[str, bytes], root: str = "X.SAFE/") -> Path:
    """Write files into an archive below `root`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(f"{root}{name}", content)
    return path


def unfolded(path: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder."""
    for name, content in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return path
