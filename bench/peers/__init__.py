"""Other durable queues doing the same work: enqueue durably, one HTTP POST to TEMIS each, acknowledge.

A peer is one file with a PEER. What it is spared: an HTTP front, signatures, parsing, sealing, verification,
an attempt log. Each uses the fastest way that its own documentation shows.
"""
