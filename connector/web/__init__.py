"""The thin shell: HTTP in, a capability called, its answer out."""
