"""Keys, encryption at rest, blind indexes, content digests and message signatures. No I/O but the keys file."""
