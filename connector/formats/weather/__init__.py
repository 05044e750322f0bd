"""The binary codes of the World Meteorological Organization: GRIB and BUFR."""
