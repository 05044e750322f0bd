"""Files made by hand to reach beyond themselves, and a server that counts who comes. For tests only."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import rasterio

CONFIDENTIAL: Final = "root:x:0:0:what-this-machine-keeps"


@contextmanager
def counting_server() -> Iterator[tuple[str, list[str]]]:
    """Serve 404 on loopback; yields the base address and the list of paths asked for so far."""
    hits: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hits.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 - named by the standard library

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the standard library
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", hits
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def vrt(source: str) -> str:
    """Return a GDAL virtual raster that takes its pixels from `source`."""
    return f"""<VRTDataset rasterXSize="4" rasterYSize="4"><SRS>EPSG:4326</SRS>
<GeoTransform>0,1,0,4,0,-1</GeoTransform><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename relativeToVRT="0">{source}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>
</VRTRasterBand></VRTDataset>"""


def raw_vrt(source: Path) -> str:
    """Return a GDAL virtual raster whose pixels are the bytes of a file."""
    return f"""<VRTDataset rasterXSize="16" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1"
subClass="VRTRawRasterBand"><SourceFilename relativetoVRT="0">{source}</SourceFilename>
<ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>16</LineOffset></VRTRasterBand></VRTDataset>"""


def wms(url: str) -> str:
    """Return the description of a web map service as a raster."""
    return f"""<GDAL_WMS><Service name="TMS"><ServerUrl>{url}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service>
<DataWindow><UpperLeftX>-180</UpperLeftX><UpperLeftY>90</UpperLeftY><LowerRightX>180</LowerRightX>
<LowerRightY>-90</LowerRightY><TileLevel>1</TileLevel><TileCountX>2</TileCountX><TileCountY>1</TileCountY>
</DataWindow><Projection>EPSG:4326</Projection><BandsCount>3</BandsCount></GDAL_WMS>"""


def geotiff(path: Path, *, rows: int = 8, crs: str | None = "EPSG:4326") -> Path:
    """Write an honest small GeoTIFF."""
    with rasterio.open(
        str(path),
        "w",
        driver="GTiff",
        width=8,
        height=rows,
        count=1,
        dtype="uint8",
        crs=crs,
        transform=rasterio.Affine(1, 0, 10, 0, -1, 50),
    ) as out:
        out.write(np.arange(8 * rows, dtype=np.uint8).reshape(1, rows, 8))
    return path


def external_storage(path: Path, secret: Path) -> Path:
    """Write an HDF5 file with a dataset whose bytes are those of another file."""
    with h5py.File(path, "w") as file:
        file.create_dataset("air", (16,), "u1", external=[(str(secret), 0, 16)])
    return path


def virtual_dataset(path: Path, other: Path) -> Path:
    """Write an HDF5 file with a dataset mapped onto one of another file, two groups down."""
    with h5py.File(other, "w") as file:
        file["x"] = np.arange(4)
    layout = h5py.VirtualLayout((4,), "i8")
    layout[:] = h5py.VirtualSource(str(other), "x", (4,))
    with h5py.File(path, "w") as file:
        file.create_group("a/b").create_virtual_dataset("air", layout)
    return path


def external_link(path: Path, other: Path) -> Path:
    """Write an HDF5 file with a link into another file."""
    with h5py.File(path, "w") as file:
        file.create_group("inner")["air"] = h5py.ExternalLink(str(other), "/x")
    return path


def endless_links(path: Path) -> Path:
    """Write an HDF5 file whose groups contain each other."""
    with h5py.File(path, "w") as file:
        inner = file.create_group("one")
        inner["back"] = file["/"]
        inner["soft"] = h5py.SoftLink("/one")
    return path


def lying_netcdf(path: Path) -> Path:
    """Write a NetCDF-4 file of a few kilobytes that announces 28.8 GB, in its data and in its coordinate."""
    with h5py.File(path, "w") as file:
        lon = file.create_dataset("lon", (3_600_000_000,), "f8", chunks=(1_000_000,))
        lon.make_scale("lon")
        lon.attrs["units"] = "degrees_east"
        lat = file.create_dataset("lat", (4,), "f8", data=[0.0, 1.0, 2.0, 3.0])
        lat.make_scale("lat")
        lat.attrs["units"] = "degrees_north"
    return path
