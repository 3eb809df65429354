"""Rows of deliveries -> what was sent with them, in one read; what is past its retention is absent."""

from collections.abc import Iterable
from typing import Any

import structlog

from gateway.model.completion import Completion
from gateway.model.errors import KeyMissing, SealBroken
from gateway.queue import payloads
from gateway.stages.cases.sight import Desk

log = structlog.get_logger(__name__)


async def open_all(desk: Desk, rows: Iterable[Any]) -> dict[int, Completion]:
    """Completions by delivery id. A row has `delivery_id`, `vendor_id`, `event_id` and `revision`."""
    wanted = {row.delivery_id: row for row in rows}
    if not wanted:
        return {}
    bodies = await payloads.load(desk.db, desk.vault, wanted)
    opened = {}
    for id_, body in bodies.items():
        row = wanted[id_]
        try:
            opened[id_], _ = payloads.open_body(desk.vault, row.vendor_id, row.event_id, row.revision, body)
        except (KeyMissing, SealBroken) as error:
            log.error("cases.unreadable", delivery=id_, code=error.code)
    return opened
