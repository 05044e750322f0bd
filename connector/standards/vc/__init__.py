"""Proofs that travel: keys, signed tokens and signed documents. Pure."""
