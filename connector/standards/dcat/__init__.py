"""DCAT-AP: the plain model of a record, its graph, and the check against the profile."""
