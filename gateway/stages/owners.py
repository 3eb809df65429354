"""A reason's owner -> the unit in charge today, by name and contact: "the school" becomes this school.

As of today, whenever the completion was: work is done by whoever is there now. A merged school answers under
its new name, and an office that was closed never does.
"""

from dataclasses import dataclass
from datetime import date

from gateway.bdtx.unit_store import UnitRegister
from gateway.bdtx.units import Unit, Units, named_owner
from gateway.model.clock import Clock, local_date
from gateway.model.reasons import OWNERS, Owner, owner_of
from gateway.model.texts import Lang
from gateway.model.verdict import Effect, Finding, Verdict


@dataclass(frozen=True, slots=True)
class NamedOwner:
    """Who acts. `unit` is None where the owner is no unit (a learner, a vendor) or the school is not known.

    `upper` is the commune or department in charge of the school, which texts speak of whoever the owner is.
    """

    owner: Owner
    unit: Unit | None = None
    upper: Unit | None = None

    @property
    def contact(self) -> str | None:
        """Of the office, as the unit table has it."""
        return self.unit.contact if self.unit else None

    def label(self, lang: Lang) -> str:
        """The owner in words: `Quản trị trường: TH An Đồng (31312401)`."""
        role = OWNERS[self.owner][lang]
        if self.unit is None:
            return role
        name = f"{self.unit.name} ({self.unit.code})"
        return f"{role}: {name}" if self.owner is Owner.SCHOOL else name

    def fill(self) -> dict[str, object]:
        """For the placeholders of reason texts."""
        return {"upper_unit": self.upper.name} if self.upper else {}

    def told(self, lang: Lang) -> dict[str, object]:
        """For JSON: owner, label and, where there is one, the unit's code, name, level and contact."""
        unit = self.unit
        return {
            "owner": self.owner.value,
            "label": self.label(lang),
            "unit": unit
            and {"code": unit.code, "name": unit.name, "level": unit.level.value, "contact": unit.contact},
        }


@dataclass(frozen=True, slots=True)
class Naming:
    """The units of one day, naming owners: a dictionary look-up each."""

    units: Units
    today: date

    def named(self, owner: Owner, school_code: str | None) -> NamedOwner:
        """`school_code`: of the school whose case it is."""
        return NamedOwner(
            owner,
            named_owner(self.units, owner, school_code, self.today),
            named_owner(self.units, Owner.UPPER_UNIT, school_code, self.today),
        )

    def of(self, finding: Finding, school_code: str | None) -> NamedOwner:
        """Who acts on one finding. Raises: KeyError for a finding that is no reason."""
        return self.named(owner_of(finding.code, side=finding.detail.get("side")), school_code)

    def of_verdict(self, verdict: Verdict, school_code: str | None) -> NamedOwner | None:
        """Who acts on what holds; None when nothing does."""
        holds = (f for f in verdict.findings if f.code == verdict.reason and f.effect is Effect.HOLDS)
        finding = next(holds, None)
        return self.of(finding, school_code) if finding else None


class Owners:
    """Names owners by the units of today. One instance per process."""

    def __init__(self, register: UnitRegister, clock: Clock) -> None:
        self._register = register
        self._clock = clock

    async def today(self) -> Naming:
        """For any number of names in one answer or page."""
        return Naming(await self._register.current(), local_date(self._clock.now_ms()))
