"""Arrays with coordinates: NetCDF, HDF5 and Zarr, by the CF and ACDD conventions."""
