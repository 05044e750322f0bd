"""What outlives the process: rows, the outbox, the evidence ledger, files, and the projections beside them."""
