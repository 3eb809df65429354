"""A bearer key that somebody was given once: used like a token, and never fetched anew."""

from gateway.outbound.token import TokenSource


class StaticKey(TokenSource):
    """A refused key stays refused: only a person can give another."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def get(self) -> str:
        return self._key

    def invalidate(self, token: str) -> None:
        """Nothing: there is no other."""

    async def aclose(self) -> None:
        """Nothing is open."""
