"""Satellite images and what describes them: GeoTIFF, SAFE, STAC."""
