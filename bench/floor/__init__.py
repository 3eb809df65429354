"""The limit: the rows the gateway writes, written by raw sqlite3 in one process, without HTTP or concurrency.

Parsing, sealing, digests and judging are the gateway's own functions; statements are the plainest there are.
`python -m bench.floor` reads a line of JSON (Task) and writes one (Done); settings come from the environment.
"""
