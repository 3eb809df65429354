"""The sealed body of a delivery: the canonical completion and, beside it, the item exactly as it was sent."""

from collections.abc import Iterable

from gateway.model.completion import Completion
from gateway.security.vault import Vault, aad
from gateway.storage.data_keys import load_keys_of
from gateway.storage.engine import Database, Tx

LOAD = "SELECT p.delivery_id, p.body FROM {x} JOIN payloads p ON p.delivery_id = x.id"


def seal(vault: Vault, vendor_id: int, completion: Completion, item: bytes) -> bytes:
    """Both texts in one blob, bound to vendor, event and revision: no row can pass for another."""
    canonical = completion.to_json()
    plain = len(canonical).to_bytes(4, "big") + canonical + item
    return vault.seal(plain, _place(vendor_id, completion.event_id, completion.revision))


def open_body(
    vault: Vault, vendor_id: int, event_id: str, revision: int, body: bytes
) -> tuple[Completion, bytes]:
    """Returns: the canonical completion and the item as sent. Raises: KeyMissing, SealBroken."""
    plain = vault.open(body, _place(vendor_id, event_id, revision))
    end = 4 + int.from_bytes(plain[:4], "big")
    return Completion.from_json(plain[4:end]), plain[end:]


async def load(db: Database, vault: Vault, delivery_ids: Iterable[int]) -> dict[int, bytes]:
    """The sealed bodies of these deliveries, in one query; those past retention are absent.

    Keys that another process made meanwhile are loaded into `vault`, so that it opens them.
    """
    ids = list(delivery_ids)
    bodies = await db.look(lambda tx: load_in(tx, ids))
    await load_keys_of(db, vault, bodies.values())
    return bodies


async def load_in(tx: Tx, delivery_ids: Iterable[int]) -> dict[int, bytes]:
    """`load` inside a transaction of the caller's, who sees to the keys afterwards."""
    x = tx.json_rows(("id", "int"))
    found = await tx.rows(LOAD.format(x=x), rows=tx.pack([(id_,) for id_ in delivery_ids]))
    return {row.delivery_id: bytes(row.body) for row in found}


def _place(vendor_id: int, event_id: str, revision: int) -> bytes:
    return aad("payloads", "body", vendor_id, event_id, revision)
