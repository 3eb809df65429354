"""LMS accounts: the identifier a vendor confirmed for one, who else states it, and what was credited by it.

Accounts are blind indexes, identifiers and names are sealed. What was sent with a completion is never
rewritten: a confirmed link is used beside it, and the verification says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache, partial
from typing import Any

from gateway.identity.case import OtherAccount
from gateway.identity.waits import account_key
from gateway.model.completion import Claim
from gateway.model.value import Value
from gateway.security.blind import BlindIndex
from gateway.security.vault import LASTING, Vault, aad
from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Cell

_ACCOUNTS = 50_000  # that are remembered

# Verified counts as credited: the result is in TEMIS or on its way there. Superseded ones were, too.
_CREDITED = (
    "(d.state IN ('verified', 'delivered') OR d.state = 'voided' AND d.reason IN ('superseded', 'replaced'))"
)

LINKS = """
SELECT x.n, a.version, a.identifier_sealed, a.person_id, a.confirmed_at_ms
FROM {x} JOIN accounts a ON a.vendor_id = x.vendor_id AND a.account_key = x.account_key
WHERE a.replaced_at_ms IS NULL"""
# Verified counts as credited: the result is in TEMIS or on its way there; a superseded one gave way to another.
OWN = """
SELECT x.n, c.person_id,
       CASE WHEN d.state IN ('verified', 'delivered') OR d.reason = 'superseded' THEN 1 ELSE 0 END AS credited
FROM {x} JOIN claimants c ON c.vendor_id = x.vendor_id AND c.account_key = x.account_key
LEFT JOIN deliveries d ON d.id = c.delivery_id"""
OTHERS = """
SELECT x.n, c.account_key, c.sealed FROM {x}
JOIN claimants c ON c.vendor_id = x.vendor_id AND c.person_id = x.person_id
WHERE c.account_key <> x.account_key"""
STATE = """
INSERT INTO claimants (vendor_id, person_id, account_key, sealed, delivery_id, at_ms)
SELECT x.vendor_id, x.person_id, x.account_key, x.sealed, x.delivery_id, :now FROM {x} WHERE true
ON CONFLICT (vendor_id, person_id, account_key) DO UPDATE SET
    sealed = excluded.sealed, at_ms = excluded.at_ms,
    delivery_id = COALESCE(excluded.delivery_id, claimants.delivery_id)"""
FORGET = """
DELETE FROM claimants WHERE vendor_id = :vendor_id AND account_key = :account_key AND person_id <> :person_id
AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = claimants.delivery_id
                AND (d.state IN ('verified', 'delivered') OR d.reason = 'superseded'))"""


@dataclass(frozen=True, slots=True)
class Account:
    """One account of one LMS, as storage knows it."""

    vendor_id: int
    key: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """A confirmed link. `identifier` is as it was sent when it was confirmed."""

    version: int
    person_id: int
    confirmed_at_ms: int
    identifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of an account: the link in force, and whom it stated -> whether that was credited."""

    link: Link | None = None
    stated: Mapping[int, bool] = field(default_factory=dict)

    @property
    def credited_to(self) -> frozenset[int]:
        """Whose records its results went to: one person, more after a change that an admin allowed."""
        return frozenset(person_id for person_id, is_credited in self.stated.items() if is_credited)


@dataclass(frozen=True, slots=True)
class Statement:
    """An account states an identifier of a person; `delivery_id` when a completion was verified so."""

    account: Account
    person_id: int
    claim: Claim
    delivery_id: int | None


class _Said(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What is sealed of a claimant."""

    lms_user_id: str
    full_name: str | None = None
    birth_date: date | None = None


def _account(blind: BlindIndex, vendor_id: int, vendor: str, lms_user_id: str) -> Account:
    return Account(vendor_id, blind.index("account", account_key(vendor, lms_user_id)))


class Accounts:
    """The tables `accounts` and `claimants`."""

    def __init__(self, db: Database, vault: Vault, blind: BlindIndex) -> None:
        self._db = db
        self._vault = vault
        # Most accounts come again soon: a class hands in its courses together.
        self.account = lru_cache(_ACCOUNTS)(partial(_account, blind))

    async def known(self, accounts: Iterable[Account]) -> dict[Account, Known]:
        """All of `accounts`, in one read of two queries."""
        return await self._db.look(lambda tx: self.known_in(tx, accounts))

    async def known_in(self, tx: Tx, accounts: Iterable[Account]) -> dict[Account, Known]:
        """`known` inside a transaction of the caller's."""
        asked = list(dict.fromkeys(accounts))
        x = tx.json_rows(("n", "int"), ("vendor_id", "int"), ("account_key", "blob"))
        rows = tx.pack([(n, account.vendor_id, account.key) for n, account in enumerate(asked)])
        links = {row.n: self._link(asked[row.n], row) for row in await tx.rows(LINKS.format(x=x), rows=rows)}
        stated: dict[int, dict[int, bool]] = {}
        for row in await tx.rows(OWN.format(x=x), rows=rows):
            stated.setdefault(row.n, {})[row.person_id] = bool(row.credited)
        return {account: Known(links.get(n), stated.get(n, {})) for n, account in enumerate(asked)}

    async def others(self, asked: Sequence[tuple[Account, int]]) -> list[tuple[OtherAccount, ...]]:
        """For each (account, person): the other accounts of the same LMS that state this person. One query."""
        if not asked:
            return []

        async def look(tx: Tx) -> Sequence[Any]:
            x = tx.json_rows(("n", "int"), ("vendor_id", "int"), ("account_key", "blob"), ("person_id", "int"))
            rows = [(n, account.vendor_id, account.key, person) for n, (account, person) in enumerate(asked)]
            return await tx.rows(OTHERS.format(x=x), rows=tx.pack(rows))

        found = await self._db.look(look)
        told: list[list[OtherAccount]] = [[] for _ in asked]
        for row in found:
            account, person_id = asked[row.n]
            told[row.n].append(
                self._open(Account(account.vendor_id, bytes(row.account_key)), person_id, row.sealed)
            )
        return [tuple(others) for others in told]

    async def state_in(self, tx: Tx, statements: Sequence[Statement], now_ms: int) -> None:
        """Keeps who stated whom; a delivery that was verified before stays the proof of credit."""
        cells: dict[tuple[int, int, bytes], tuple[Cell, ...]] = {}
        for one in statements:
            place = (one.account.vendor_id, one.person_id, one.account.key)
            before = cells.get(place)
            delivery_id = one.delivery_id or (before[-1] if before else None)
            cells[place] = (*place, self._seal(one), delivery_id)
        if cells:
            x = tx.json_rows(
                ("vendor_id", "int"),
                ("person_id", "int"),
                ("account_key", "blob"),
                ("sealed", "blob"),
                ("delivery_id", "int"),
            )
            await tx.run(STATE.format(x=x), rows=tx.pack([cells[place] for place in sorted(cells)]), now=now_ms)

    async def link_in(
        self,
        tx: Tx,
        account: Account,
        identifier: str,
        person_id: int,
        now_ms: int,
        *,
        by: str,
        reason: str | None = None,
    ) -> int:
        """Puts a new link in force and forgets whom the account stated without credit. Returns: version."""
        where: dict[str, int | bytes] = {"vendor_id": account.vendor_id, "account_key": account.key}
        await tx.run(
            "UPDATE accounts SET replaced_at_ms = :now WHERE vendor_id = :vendor_id "
            "AND account_key = :account_key AND replaced_at_ms IS NULL",
            now=now_ms,
            **where,
        )
        [row] = await tx.rows(
            "SELECT COALESCE(MAX(version), 0) + 1 AS next FROM accounts "
            "WHERE vendor_id = :vendor_id AND account_key = :account_key",
            **where,
        )
        await tx.run(
            "INSERT INTO accounts (vendor_id, account_key, version, identifier_sealed, person_id, "
            "confirmed_at_ms, confirmed_by, reason) VALUES (:vendor_id, :account_key, :version, :sealed, "
            ":person_id, :now, :by, :reason)",
            version=row.next,
            sealed=self._vault.seal(
                identifier.encode(), _place(account, row.next), self._vault.key_of(LASTING)
            ),
            person_id=person_id,
            now=now_ms,
            by=by,
            reason=reason,
            **where,
        )
        await tx.run(FORGET, person_id=person_id, **where)
        return int(row.next)

    async def end_link_in(self, tx: Tx, account: Account, version: int, now_ms: int) -> bool:
        """Ends a link without putting another in its place. Returns: whether it was in force."""
        ended = await tx.run(
            "UPDATE accounts SET replaced_at_ms = :now WHERE vendor_id = :vendor_id "
            "AND account_key = :account_key AND version = :version AND replaced_at_ms IS NULL",
            now=now_ms,
            vendor_id=account.vendor_id,
            account_key=account.key,
            version=version,
        )
        return ended == 1

    async def link_of(self, account: Account, version: int) -> Link | None:
        """One version of an account's link, in force or replaced."""
        async with self._db.read() as tx:
            found = await tx.rows(
                "SELECT version, identifier_sealed, person_id, confirmed_at_ms FROM accounts "
                "WHERE vendor_id = :vendor_id AND account_key = :key AND version = :version",
                vendor_id=account.vendor_id,
                key=account.key,
                version=version,
            )
        return self._link(account, found[0]) if found else None

    def _link(self, account: Account, row: Any) -> Link:
        sealed = self._vault.open(bytes(row.identifier_sealed), _place(account, row.version))
        return Link(row.version, row.person_id, row.confirmed_at_ms, sealed.decode())

    def _seal(self, one: Statement) -> bytes:
        text = _Said(
            lms_user_id=one.claim.lms_user_id, full_name=one.claim.full_name, birth_date=one.claim.birth_date
        )
        return self._vault.seal(
            text.to_json(),
            aad("claimants", "sealed", one.account.vendor_id, one.account.key, one.person_id),
            self._vault.key_of(LASTING),
        )

    def _open(self, account: Account, person_id: int, sealed: Any) -> OtherAccount:
        place = aad("claimants", "sealed", account.vendor_id, account.key, person_id)
        text = _Said.from_json(self._vault.open(bytes(sealed), place))
        return OtherAccount(text.lms_user_id, text.full_name, text.birth_date)


def _place(account: Account, version: int) -> bytes:
    return aad("accounts", "identifier", account.vendor_id, account.key, version)
