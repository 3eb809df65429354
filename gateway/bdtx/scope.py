"""Who sees whose people: user, unit and day -> yes or no. Pure rules over the tree of units.

A user reaches the own unit and what is under it, as the tree stood on the day that matters: today for work, the
day of the event for history. Nothing here asks what the user may do there (gateway/model/roles.py).
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gateway.bdtx.units import Level, Unit, Units
from gateway.model.roles import ROLES, Reach, RoleName, may


@dataclass(frozen=True, slots=True)
class Viewer:
    """A signed-in user, as far as scope needs to know."""

    login: str
    role: RoleName
    unit_code: str | None = None
    vendor_id: int | None = None


@dataclass(frozen=True, slots=True)
class CaseUnits:
    """What decides whose case a delivery is. `department`: of its source, for claims without a known unit."""

    claimed: str | None
    department: str | None
    registry: str | None = None  # the unit on file, once somebody was found
    is_verified: bool = False
    vendor_id: int | None = None
    organiser: str | None = None  # the unit that runs the course


class OnFile(StrEnum):
    """What a viewer gets of the sector database's values."""

    SHOWN = "shown"
    ELSEWHERE = "elsewhere"  # only the fixed sentence, model/roles.ELSEWHERE
    WITHHELD = "withheld"  # this role never sees values on file, whoever the person is


def own_unit(units: Units, viewer: Viewer, day: date) -> Unit | None:
    """The viewer's unit as of that day. A renumbered one is the same; a closed, merged or split one is none.

    So an account of a district office reaches days up to its end, and nothing of what came after.
    """
    if viewer.unit_code is None or ROLES[viewer.role].scope is not Reach.UNIT:
        return None
    unit = units.unit_at(units.renumbered(viewer.unit_code, day), day)
    is_fit = unit is not None and (unit.level in ROLES[viewer.role].unit or unit.level is Level.DISTRICT)
    return unit if is_fit else None


def may_see(units: Units, viewer: Viewer, unit_code: str | None, day: date) -> bool:
    """Whether this unit is the viewer's own or below it on that day. The ministry sees every unit."""
    own = own_unit(units, viewer, day)
    if own is None:
        return False
    if own.level is Level.MINISTRY:
        return True
    return unit_code is not None and any(unit.code == own.code for unit in units.path_at(unit_code, day))


def case_unit(units: Units, case: CaseUnits, day: date) -> str | None:
    """The unit that a case belongs to; None when not even the source's department is known.

    Until verified it is what the vendor claimed, so that nobody's file can be found out by claiming a code.
    """
    if case.is_verified and case.registry and units.standing_for(case.registry, day):
        return case.registry
    if case.claimed and units.standing_for(case.claimed, day):
        return case.claimed
    return case.department


def may_see_case(units: Units, viewer: Viewer, case: CaseUnits, day: date) -> bool:
    """Whether the viewer sees the case at all: state, reason, owner."""
    if not may(viewer.role, "case.see"):
        return False
    reach = ROLES[viewer.role].scope
    if reach is Reach.ALL:
        return True
    if reach is Reach.VENDOR:
        return viewer.vendor_id is not None and viewer.vendor_id == case.vendor_id
    if reach is Reach.COURSES:
        return viewer.unit_code is not None and viewer.unit_code == case.organiser
    return may_see(units, viewer, case_unit(units, case, day), day)


def on_file(units: Units, viewer: Viewer, case: CaseUnits, day: date) -> OnFile:
    """Whether values on file may stand on the page: the *registry's* unit decides, never the claimed one."""
    if not (may(viewer.role, "case.values_on_file") and may_see_case(units, viewer, case, day)):
        return OnFile.WITHHELD
    return OnFile.SHOWN if may_see(units, viewer, case.registry, day) else OnFile.ELSEWHERE


def may_manage_user(units: Units, viewer: Viewer, role: RoleName, unit_code: str | None, day: date) -> bool:
    """Whether the viewer may make, reset or end an account of this role in this unit.

    A unit admin: in units *below* the own one, never beside; an operator: everywhere.
    """
    if not may(viewer.role, "user.manage") or role not in ROLES[viewer.role].grants:
        return False
    if ROLES[viewer.role].scope is Reach.ALL:
        return True
    own = own_unit(units, viewer, day)
    versions = units.versions(unit_code) if unit_code else ()  # also of a closed unit: its accounts must end
    is_above = own is not None and bool(versions) and own.level.is_above(versions[-1].level)
    return is_above and may_see(units, viewer, unit_code, day)
