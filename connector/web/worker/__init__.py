"""The data worker: a small process of its own that sends the bytes of datasets as fast as the system can.

`talk` says what it and the connector tell each other, `desk` is the connector's side; the rest runs in the worker:
`heads` reads requests, `pipes` moves bytes, `permits` knows what may flow, `doors` answers, `__main__` starts it.

The worker is given no key, no password and no database, and no files but those handed to it open: what it reads are
the requests of strangers, and what it holds is what it was sending anyhow.
"""
