"""Rows and features: CSV, Parquet, GeoPackage, GeoJSON, shapefiles."""
