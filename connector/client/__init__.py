"""The Python SDK: find data across a data space, agree on its use, open it.

    from connector.client import connect

    space = connect("https://connector.example", api_key="gdc_…")
    hit = space.search("air temperature").first()
    data = hit.negotiate(accept="any", purpose="https://w3id.org/dpv#AcademicResearch").open()

`data` is an `xarray.Dataset` for NetCDF and GRIB, a `rasterio` dataset for GeoTIFF, a `pandas.DataFrame` for tables.
Every call is synchronous and safe to repeat; refusals are those of `connector.errors`, with the connector's reasons.
"""

from connector.client.agreements import Agreement, Transfer
from connector.client.connection import Connection, NegotiationTerminated, TimedOut
from connector.client.opening import open_file
from connector.client.spaces import Draft, Hit, Hits, Space, Table, connect
from connector.client.watching import Outcome, Template, Watch

__all__ = [
    "Agreement",
    "Connection",
    "Draft",
    "Hit",
    "Hits",
    "NegotiationTerminated",
    "Outcome",
    "Space",
    "Table",
    "Template",
    "TimedOut",
    "Transfer",
    "Watch",
    "connect",
    "open_file",
]
