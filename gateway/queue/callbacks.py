"""Callbacks as rows: who wants to be told what, how far it has been told, and each thing still to tell.

A callback has a position in the change feed. One that is paused keeps it and goes on there, so a pause loses
nothing however long it lasts; nothing piles up for it meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.model.clock import Clock
from gateway.model.errors import NotFound, Refused
from gateway.model.states import State
from gateway.queue.moves import newest_mark
from gateway.security.signatures import new_secret
from gateway.security.vault import LASTING, Vault, aad
from gateway.storage import audit
from gateway.storage.engine import Database, Tx

MOST = 5  # callbacks of one vendor
UNPROVED, ACTIVE, PAUSED, DISABLED, REMOVED = STATES = (
    "unproved",
    "active",
    "paused",
    "disabled",
    "removed",
)
# act -> the states it is allowed in, and the state it leads to
ACTS: Final = {
    "pause": ((ACTIVE,), PAUSED),
    "resume": ((PAUSED,), ACTIVE),
    "remove": ((UNPROVED, ACTIVE, PAUSED, DISABLED), REMOVED),
}

_COLUMNS = (
    "c.id, c.vendor_id, v.name, v.connector, c.url, c.secret_sealed, c.events, c.state, c.reason, c.position"
)
_FROM = "FROM callbacks c JOIN vendors v ON v.id = c.vendor_id"
DUE = """
SELECT t.id, t.seq, t.event, t.delivery_id, t.at_ms, t.state, t.outcome, t.tries, t.first_tried_at_ms,
       d.vendor_id, d.event_id, d.revision
FROM callback_deliveries t JOIN deliveries d ON d.id = t.delivery_id
WHERE t.callback_id = :id AND t.due_at_ms <= :now ORDER BY t.due_at_ms, t.id LIMIT :limit"""
TOLD = """
SELECT t.seq, t.event, t.delivery_id, t.at_ms, t.due_at_ms, t.tries, t.told_at_ms, t.http_status, t.error
FROM callback_deliveries t WHERE t.callback_id = :id ORDER BY t.id DESC LIMIT :limit"""
TAKE = """
INSERT INTO callback_deliveries (callback_id, seq, event, delivery_id, at_ms, state, outcome, due_at_ms)
SELECT :id, x.seq, x.event, x.delivery_id, x.at_ms, x.state, x.outcome, :now FROM {x} WHERE true
ON CONFLICT DO NOTHING"""
RECORD = """
UPDATE callback_deliveries SET due_at_ms = x.due, tries = x.tries, told_at_ms = x.told, http_status = x.status,
       error = x.error, first_tried_at_ms = COALESCE(first_tried_at_ms, :now)
FROM {x} WHERE callback_deliveries.id = x.id"""


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback of a vendor."""

    id: int
    vendor_id: int
    vendor: str
    connector: str
    url: str
    events: tuple[str, ...]
    state: str
    reason: str | None
    position: int
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Telling:
    """One thing to tell one callback."""

    id: int
    seq: int
    event: str
    delivery_id: int
    event_id: str
    vendor_id: int
    revision: int
    at_ms: int
    state: State
    outcome: str
    tries: int
    first_tried_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one try. `due_at_ms` None: told, or given up."""

    id: int
    due_at_ms: int | None
    tries: int
    told_at_ms: int | None = None
    http_status: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of what a callback was told, as its vendor sees it."""

    seq: int
    event: str
    delivery_id: int
    at_ms: int
    due_at_ms: int | None
    tries: int
    told_at_ms: int | None
    http_status: int | None
    error: str | None


async def add_callback(
    db: Database, vault: Vault, clock: Clock, vendor_id: int, vendor: str, url: str, events: Sequence[str]
) -> tuple[int, str]:
    """A callback that is told nothing until it is proved. Returns: its id and secret, which is shown once.

    Raises: Refused `callback.too_many`.
    """
    secret = new_secret()

    async def in_tx(tx: Tx) -> int:
        [count] = await tx.rows(
            "SELECT COUNT(*) AS n FROM callbacks WHERE vendor_id = :v AND state <> 'removed'", v=vendor_id
        )
        if count.n >= MOST:
            raise Refused(f"a vendor has at most {MOST} callbacks", "callback.too_many")
        now = clock.now_ms()
        [row] = await tx.rows(
            "INSERT INTO callbacks (vendor_id, url, secret_sealed, events, state, position, created_at_ms, "
            "changed_at_ms) VALUES (:v, :url, :secret, :events, 'unproved', 0, :now, :now) RETURNING id",
            v=vendor_id,
            url=url,
            secret=vault.seal(
                secret.encode(), aad("callbacks", "secret", vendor_id, url), vault.key_of(LASTING)
            ),
            events=" ".join(sorted(set(events))),
            now=now,
        )
        await audit.append(tx, now, f"vendor:{vendor}", "callback.added", f"callback:{row.id}")
        return int(row.id)

    return await db.write(in_tx), secret


async def read_callbacks(
    db: Database, vault: Vault, *, vendor_id: int | None = None, state: str | None = None
) -> list[Callback]:
    """Callbacks by id, removed ones left out; of one vendor, or in one state."""
    where, fill = ["c.state <> 'removed'"], {}
    if vendor_id is not None:
        where.append("c.vendor_id = :vendor_id")
        fill["vendor_id"] = vendor_id
    if state is not None:
        where.append("c.state = :state")
        fill["state"] = state  # type: ignore[assignment] # a parameter of either kind
    async with db.read() as tx:
        rows = await tx.rows(f"SELECT {_COLUMNS} {_FROM} WHERE {' AND '.join(where)} ORDER BY c.id", **fill)
    return [_callback(vault, row) for row in rows]


async def find_callback(db: Database, vault: Vault, vendor_id: int, id_: int) -> Callback:
    """Raises: NotFound for one of another vendor, removed, or none at all."""
    found = [one for one in await read_callbacks(db, vault, vendor_id=vendor_id) if one.id == id_]
    if not found:
        raise NotFound("this vendor has no such callback")
    return found[0]


async def activate(db: Database, clock: Clock, id_: int) -> None:
    """Proved: told from now on, or, when it had been active before, from where it was."""
    mark = await newest_mark(db)

    async def in_tx(tx: Tx) -> None:
        await tx.run(
            "UPDATE callbacks SET state = 'active', reason = NULL, failing_since_ms = NULL, "
            "changed_at_ms = :now, position = CASE WHEN state = 'unproved' THEN :mark ELSE position END "
            "WHERE id = :id AND state <> 'removed'",
            id=id_,
            mark=mark,
            now=clock.now_ms(),
        )

    await db.write(in_tx)


async def act(db: Database, clock: Clock, vendor_id: int, vendor: str, id_: int, what: str) -> str:
    """Pause, resume or remove. Returns: the state it leads to. Raises: NotFound, Refused `callback.state`."""
    allowed, target = ACTS[what]

    async def in_tx(tx: Tx) -> str:
        now = clock.now_ms()
        found = await tx.rows(
            "SELECT state FROM callbacks WHERE id = :id AND vendor_id = :v", id=id_, v=vendor_id
        )
        if not found or found[0].state == REMOVED:
            raise NotFound("this vendor has no such callback")
        if found[0].state == target:
            return target
        if found[0].state not in allowed:
            raise Refused(f"a callback that is {found[0].state} cannot {what}", "callback.state")
        await set_state_in(tx, id_, target, "vendor" if what == "pause" else None, now)
        await audit.append(tx, now, f"vendor:{vendor}", f"callback.{target}", f"callback:{id_}")
        if what == "remove":
            await tx.run(
                "UPDATE callback_deliveries SET due_at_ms = NULL WHERE callback_id = :id AND due_at_ms > 0",
                id=id_,
            )
        if what == "resume":  # what had been waiting for the next try is told at once
            await tx.run(
                "UPDATE callback_deliveries SET due_at_ms = :now, tries = 0, first_tried_at_ms = NULL "
                "WHERE callback_id = :id AND due_at_ms > 0",
                id=id_,
                now=now,
            )
        return target

    return await db.write(in_tx)


async def set_state_in(tx: Tx, id_: int, state: str, reason: str | None, now: int) -> None:
    """Changes the state inside a transaction of the caller's; a new state has not failed yet."""
    await tx.run(
        "UPDATE callbacks SET state = :state, reason = :reason, failing_since_ms = NULL, changed_at_ms = :now "
        "WHERE id = :id AND state <> 'removed'",
        id=id_,
        state=state,
        reason=reason,
        now=now,
    )


async def take_in(
    tx: Tx, id_: int, wanted: Sequence[tuple[int, str, int, int, str, str]], position: int, now: int
) -> None:
    """Puts down what to tell, (seq, event, delivery id, at, state, outcome), with how far the feed was read."""
    if wanted:
        x = tx.json_rows(
            ("seq", "int"), ("event", "text"), ("delivery_id", "int"), ("at_ms", "int"), ("state", "text"),
            ("outcome", "text"),
        )  # fmt: skip
        await tx.run(TAKE.format(x=x), rows=tx.pack(wanted), id=id_, now=now)
    await tx.run("UPDATE callbacks SET position = :position WHERE id = :id", id=id_, position=position)


async def waiting(db: Database, id_: int) -> int:
    """How much there is still to tell, beyond what the feed holds."""
    async with db.read() as tx:
        [row] = await tx.rows(
            "SELECT COUNT(*) AS n FROM callback_deliveries WHERE callback_id = :id AND due_at_ms > 0", id=id_
        )
    return int(row.n)


async def due(db: Database, id_: int, now: int, limit: int) -> list[Telling]:
    """0..limit things that are due, oldest first."""
    async with db.read() as tx:
        rows = await tx.rows(DUE, id=id_, now=now, limit=limit)
    return [
        Telling(
            row.id,
            row.seq,
            row.event,
            row.delivery_id,
            row.event_id,
            row.vendor_id,
            row.revision,
            row.at_ms,
            State(row.state),
            row.outcome,
            row.tries,
            row.first_tried_at_ms,
        )
        for row in rows
    ]


async def record_in(tx: Tx, id_: int, tried: Sequence[Tried], now: int) -> None:
    """Writes what became of each try, and since when this callback has only failed."""
    x = tx.json_rows(
        ("id", "int"), ("due", "int"), ("tries", "int"), ("told", "int"), ("status", "int"), ("error", "text")
    )
    cells = [
        (one.id, one.due_at_ms, one.tries, one.told_at_ms, one.http_status, one.error)
        for one in sorted(tried, key=lambda one: one.id)
    ]
    await tx.run(RECORD.format(x=x), rows=tx.pack(cells), now=now)
    succeeded = any(one.told_at_ms is not None for one in tried)
    since = "NULL" if succeeded else "COALESCE(failing_since_ms, :now)"
    fill = {} if succeeded else {"now": now}
    await tx.run(f"UPDATE callbacks SET failing_since_ms = {since} WHERE id = :id", id=id_, **fill)


async def failing_since(tx: Tx, id_: int) -> int | None:
    """The first failure after the last success; None when the last try succeeded."""
    found = await tx.rows("SELECT failing_since_ms FROM callbacks WHERE id = :id", id=id_)
    return found[0].failing_since_ms if found else None


async def entries(db: Database, id_: int, *, limit: int = 100) -> list[Entry]:
    """What a callback was told last, newest first."""
    async with db.read() as tx:
        rows = await tx.rows(TOLD, id=id_, limit=limit)
    return [Entry(*row) for row in rows]


def _callback(vault: Vault, row: Any) -> Callback:
    secret = vault.open(bytes(row.secret_sealed), aad("callbacks", "secret", row.vendor_id, row.url))
    return Callback(
        row.id,
        row.vendor_id,
        row.name,
        row.connector,
        row.url,
        tuple(row.events.split()),
        row.state,
        row.reason,
        row.position,
        secret.decode(),
    )
