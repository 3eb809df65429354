"""Deliveries as people look for them: whose case each is, and what it is found by; and what was ruled on one.

`cases` follows `deliveries` a moment later (docs/decisions/0050-cases-follow-the-queue.md) and can be made
again from them. It holds codes, ids and blind indexes, never a value of a person.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, text

from gateway.storage.tables.naming import Id, metadata

cases = Table(
    "cases",
    metadata,
    Column("delivery_id", Id, primary_key=True, autoincrement=False),
    Column("vendor_id", Integer, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),  # why it is held or dead; NULL: it is neither
    Column("settled", Integer, nullable=False, server_default=text("0")),  # 1: ruled that nothing is to be done
    Column("person_id", BigInteger),  # once verified
    Column("claimed_unit", Text),  # as sent
    Column("registry_unit", Text),  # of the file it was verified by; NULL: not verified
    Column("school_code", Text),  # whose case it is, as the units stand today
    Column("commune_code", Text),
    Column("department_code", Text),
    Column("account_key", LargeBinary),  # blind indexes; NULL: not sent, or past its retention
    Column("name_key", LargeBinary),
    Column("identifier_key", LargeBinary),
    Column("certificate_key", LargeBinary),
    Column("course_key", Text),  # the vendor's course id
    Column("module_code", Text),
)
# Failures by cause: small, for it holds nothing but open ones, and whole, so that counting reads no row.
_COUNTED = (cases.c.delivery_id, cases.c.received_at_ms, cases.c.account_key)
_OPEN = text("reason IS NOT NULL AND settled = 0")
for _unit in ("school", "commune", "department"):
    Index(
        f"ix_cases_open_{_unit}",
        cases.c[f"{_unit}_code"],
        cases.c.reason,
        *_COUNTED,
        *(() if _unit == "school" else (cases.c.school_code,)),
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
Index(
    "ix_cases_open",
    cases.c.reason,
    *_COUNTED,
    cases.c.school_code,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)
# What one is looked for by. A key finds few rows; scope is looked at afterwards.
for _key in ("person_id", "account_key", "name_key", "identifier_key", "certificate_key"):
    Index(
        f"ix_cases_{_key}",
        cases.c[_key],
        cases.c.delivery_id,
        sqlite_where=cases.c[_key].isnot(None),
        postgresql_where=cases.c[_key].isnot(None),
    )
for _key in ("course_key", "module_code"):
    Index(f"ix_cases_{_key}", cases.c[_key], cases.c.delivery_id)
# Progress by unit.
Index("ix_cases_school", cases.c.school_code, cases.c.state, cases.c.delivery_id)
_PEOPLE = (cases.c.school_code, cases.c.person_id, cases.c.state)  # whole: counting people reads no row
Index("ix_cases_commune", cases.c.commune_code, *_PEOPLE)
Index("ix_cases_department", cases.c.department_code, cases.c.commune_code, *_PEOPLE)

# What an approver ruled; the latest of a delivery is in force, and none is ever erased.
rulings = Table(
    "rulings",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("delivery_id", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("act", Text, nullable=False),  # choose | allow | reject | reopen
    Column("person_id", BigInteger),  # of `choose` and `allow`, and the link that it made
    Column("link_version", Integer),
    Column("note_sealed", LargeBinary, nullable=False),
    Index("ix_rulings_delivery", "delivery_id", "id"),
)
