"""The Dataspace Protocol 2025-1: messages, state machines, catalogs."""
