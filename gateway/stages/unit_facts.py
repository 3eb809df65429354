"""Claimed schools and days of completion -> what the unit table says of them, from memory.

The table is read again only when it changed; a batch costs at most one look at its version.
"""

from collections.abc import Iterable
from datetime import date

from gateway.bdtx.unit_store import UnitRegister
from gateway.bdtx.units import Units
from gateway.identity.case import UnitFacts

_NO_TABLE = UnitFacts()
_UNKNOWN = UnitFacts(known=False)
_REMEMBERED = 50_000  # schools and days; then all are forgotten


class FactsOfUnits:
    """One instance per process."""

    def __init__(self, register: UnitRegister) -> None:
        self._register = register
        self._units = Units()
        self._told: dict[tuple[str, date], UnitFacts] = {}

    async def of(
        self, asked: Iterable[tuple[str | None, date]], *, as_of_wake: int | None = None
    ) -> list[UnitFacts]:
        """(claimed code, day of completion)s -> facts, in order.

        `as_of_wake`: the newest wake the caller knows (UnitRegister.current).
        """
        units = await self._register.current(as_of_wake=as_of_wake)
        if units is not self._units or len(self._told) > _REMEMBERED:
            self._units, self._told = units, {}
        return [self._one(code, day) for code, day in asked]

    def _one(self, sent: str | None, day: date) -> UnitFacts:
        code = sent.strip().upper() if sent else ""
        if not code or not len(self._units):
            return _NO_TABLE
        facts = self._told.get((code, day))
        if facts is None:
            facts = self._told[code, day] = facts_of(self._units, code, day)
        return facts


def facts_of(units: Units, code: str, day: date) -> UnitFacts:
    """What the table says of one claimed school on one day."""
    versions = units.versions(code)
    if not versions:
        return _UNKNOWN
    is_closed = units.unit_at(code, day) is None and versions[0].valid_from <= day
    return UnitFacts(known=True, closed=is_closed, same_as=units.same_school_on(code, day) - {code})
