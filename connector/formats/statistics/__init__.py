"""SDMX in all its forms."""
