"""A data space connector and catalog for Green Deal data."""
