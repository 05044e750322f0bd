"""The use cases: what the connector does, in plain functions that know no HTTP."""
