"""From coordinates to places and periods: boxes, reference systems, geometries, times."""
