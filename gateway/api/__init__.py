"""HTTP for machines: what vendors send to, and what those who run the gateway watch.

request -> edge (correlation, problems, one log line) -> a route of routes/ -> stages and queue
"""
