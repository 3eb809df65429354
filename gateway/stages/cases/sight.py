"""How far one viewer sees today: the limit of lists, and whether one case or one file is theirs."""

from dataclasses import dataclass
from datetime import date

from gateway.bdtx.places import Within, of_unit, within
from gateway.bdtx.scope import CaseUnits, OnFile, Viewer, may_see, may_see_case, on_file
from gateway.bdtx.units import Unit, Units
from gateway.identity.accounts import Accounts
from gateway.identity.snapshots import Snapshots
from gateway.model.clock import Clock
from gateway.model.roles import ROLES, Reach, may
from gateway.security.blind import BlindIndex
from gateway.security.vault import Vault
from gateway.storage.engine import Database


@dataclass(frozen=True, slots=True)
class Desk:
    """What reading cases takes. One for the process."""

    db: Database
    clock: Clock
    vault: Vault
    blind: BlindIndex
    snapshots: Snapshots
    accounts: Accounts


@dataclass(frozen=True, slots=True)
class Sight:
    """One viewer, today."""

    units: Units
    viewer: Viewer
    today: date

    @property
    def limit(self) -> Within | None:
        """What lists are limited to; None: this viewer sees no list of cases."""
        return within(self.units, self.viewer, self.today)

    def narrowed(self, unit_code: str | None) -> Within | None:
        """The limit, or that of a unit within it; None for a unit that is not."""
        limit = self.limit
        if limit is None or not unit_code:
            return limit
        unit = self.unit(unit_code)
        return of_unit(unit) if unit and self.covers(unit.code) else None

    def covers(self, unit_code: str | None) -> bool:
        """Whether this unit is the viewer's or below it; operators cover every unit."""
        if ROLES[self.viewer.role].scope is Reach.ALL:
            return True
        return may_see(self.units, self.viewer, unit_code, self.today)

    def sees(self, case: CaseUnits) -> bool:
        """Whether the case is the viewer's. Vendors and organisers see none here."""
        return self.limit is not None and may_see_case(self.units, self.viewer, case, self.today)

    def on_file(self, case: CaseUnits) -> OnFile:
        """Whether values on file may stand on the page."""
        return on_file(self.units, self.viewer, case, self.today)

    def may(self, act: str) -> bool:
        return may(self.viewer.role, act)

    def unit(self, code: str | None) -> Unit | None:
        """The unit that stands for this code today."""
        return self.units.standing_for(code, self.today) if code else None

    def name(self, code: str | None) -> str | None:
        """Its name today; the code itself for an unknown one."""
        unit = self.unit(code)
        return unit.name if unit else code
