"""DELIVER: TEMIS's contract, the client, mapping, and what follows from each of its answers."""
