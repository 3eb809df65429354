"""What the sector database (CSDL ngành) says about people.

Source: contracts/registry/README.md (every field is an assumption until the ministry publishes the interface).
"""

from datetime import date
from enum import StrEnum
from typing import NamedTuple

from gateway.model.completion import Role
from gateway.model.value import Value


class IdentifierType(StrEnum):
    """How an identifier is looked up; the value alone does not say which of these it is."""

    SECTOR = "sector_id"  # mã định danh ngành, 10 digits
    PERSONAL = "personal_number"  # số định danh cá nhân / CCCD, 12 digits
    OLD_CARD = "old_identity_card"  # CMND, 9 digits


class LookupKey(NamedTuple):
    """One question to the sector database."""

    type: IdentifierType
    value: str


class Snapshot(Value, frozen=True, kw_only=True):
    """One person's file in the sector database at one moment."""

    sector_id: str
    full_name: str
    birth_date: date | None = None
    gender: str | None = None
    unit_code: str | None = None
    unit_name: str | None = None
    role: Role | None = None
    status: str = "Đang làm việc"  # one of the eight values of Trạng thái CB
    status_since: date | None = None  # Ngày trạng thái; None when the file does not state it


class Answer(Value, frozen=True, kw_only=True):
    """The sector database's answer to one LookupKey: no hit, one, or several (never guessed between)."""

    hits: tuple[Snapshot, ...]
    fetched_at_ms: int
    live: bool = True  # False when it came from our cache; the age is now - fetched_at_ms
