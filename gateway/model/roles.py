"""Roles as data: role -> scope, second factor, which units; role x act -> allowed or not.

Source: roles.toml beside this file. What is not listed is refused. How far an act reaches is decided by
gateway/bdtx/scope.py.
"""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from gateway.model.completion import Frozen
from gateway.model.texts import Lang


class RoleName(StrEnum):
    VIEWER = "viewer"
    UNIT_ADMIN = "unit_admin"
    APPROVER = "approver"
    ORGANISER = "organiser"
    OPERATOR = "operator"
    VENDOR = "vendor"
    AUDITOR = "auditor"


class Reach(StrEnum):
    """What a role's acts reach: the first comment of roles.toml."""

    UNIT = "unit"
    COURSES = "courses"
    VENDOR = "vendor"
    ALL = "all"
    NONE = "none"


class UserRole(Frozen):
    """One role."""

    vi: str
    en: str
    scope: Reach
    totp: Literal["always", "from_commune_up"]
    unit: tuple[str, ...]
    grants: tuple[RoleName, ...]


class UserAct(Frozen):
    """Something a user may do, and which roles may."""

    vi: str
    en: str
    roles: frozenset[RoleName]


_FILE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("roles.toml").read_text("utf-8"))
ROLES: Mapping[RoleName, UserRole] = {
    RoleName(name): UserRole.model_validate(body) for name, body in _FILE["roles"].items()
}
ACTS: Mapping[str, UserAct] = {name: UserAct.model_validate(body) for name, body in _FILE["acts"].items()}
ELSEWHERE: Mapping[Lang, str] = _FILE["sentences"]["elsewhere"]


def may(role: RoleName, act: str) -> bool:
    """Whether the role may do this at all. Raises: KeyError for an act that roles.toml does not have."""
    return role in ACTS[act].roles


def needs_totp(role: RoleName, unit_level: str | None) -> bool:
    """Whether signing in takes a second factor: everybody but the users of a school."""
    return ROLES[role].totp == "always" or unit_level != "school"
