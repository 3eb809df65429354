"""Banners at the top of every page: a module that defines BANNER is found and asked at each page.

    async def banner(visit: Visit) -> Sequence[Said]
It must be cheap: what it reads, it keeps for some seconds (`visit.kept`).
"""
