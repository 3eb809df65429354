"""Whose case a delivery is, as codes for a row: school, commune and department as the units stand on a day.

The columns answer the same question as `scope.may_see`, in a form that a database can index.
"""

from datetime import date
from typing import NamedTuple

from gateway.bdtx.scope import CaseUnits, Viewer, case_unit, own_unit
from gateway.bdtx.units import Level, Unit, Units
from gateway.model.roles import ROLES, Reach, may

_COLUMN = {
    Level.SCHOOL: "school_code",
    Level.COMMUNE: "commune_code",
    Level.DEPARTMENT: "department_code",
}
_PROVINCE_DIGITS = 2


class Place(NamedTuple):
    """Codes of today; None where the case stands above that level, or its unit is not known."""

    school_code: str | None = None
    commune_code: str | None = None
    department_code: str | None = None


class Within(NamedTuple):
    """What a viewer's lists are limited to: `column` = `code`; a column of None is no limit."""

    column: str | None
    code: str | None


def place_of(units: Units, case: CaseUnits, day: date) -> Place:
    """Where a case stands on that day."""
    code = case_unit(units, case, day)
    found: dict[str, str] = {}
    for unit in units.path_at(code, day) if code else ():
        if column := _COLUMN.get(unit.level):
            found.setdefault(column, unit.code)
    return Place(**found)


def department_of(units: Units, claimed: str | None, of_source: str | None, day: date) -> str | None:
    """The department that an unknown school code names, else the source's (`of_source`: a code, or None).

    Sector codes begin with that of the province. Assumption: contracts/units/README.md.
    """
    prefix = (claimed or "")[:_PROVINCE_DIGITS]
    return _department(units, prefix, day) or _department(units, of_source, day)


def _department(units: Units, code: str | None, day: date) -> str | None:
    unit = units.standing_for(code, day) if code else None
    return unit.code if unit and unit.level is Level.DEPARTMENT else None


def within(units: Units, viewer: Viewer, day: date) -> Within | None:
    """What the viewer's lists are limited to; None when the viewer sees no case by unit at all.

    Vendors and organisers are none here: the ones must be told folded codes, the others only their courses.
    """
    if not may(viewer.role, "case.see"):
        return None
    if ROLES[viewer.role].scope is Reach.ALL:
        return Within(None, None)
    own = own_unit(units, viewer, day)
    if own is None:
        return None
    return of_unit(own)


def of_unit(unit: Unit) -> Within | None:
    """The limit that is this unit and what is under it; None for one that cases do not stand in."""
    if unit.level is Level.MINISTRY:
        return Within(None, None)
    column = _COLUMN.get(unit.level)
    return Within(column, unit.code) if column else None
