"""The demonstration's comparison must be able to fail: each kind of fault is found, and only that."""

from typing import Any

import pytest

from gateway.cli.demonstration.findings import Believed, Key, is_as_expected, of_items, of_records, of_writes
from gateway.model.states import State
from gateway.queue.balance import Balance, Sheet
from gateway.queue.listing import Line
from gateway.sandbox.item import Expected, Fate, Item
from gateway.sandbox.vendor import ReceiptSeen


def an_item(event_id: str = "a", fate: Fate = "delivered", reason: str | None = None) -> Item:
    expected = Expected(
        "viettel", event_id, 1, "accepted", fate, reason, "plain", "3100000001", "GVPT03", "2025-2026"
    )
    return Item("viettel", b"{}", expected)


def a_line(id_: int = 7, state: State = State.DELIVERED, reason: str | None = None) -> Line:
    return Line(id_, "viettel", "a", 1, "completion", state, reason, None, 0, 0, 0, None)


def a_balance(received: int) -> Balance:
    sheet = Sheet()
    sheet.arrived["received"] = received
    return Balance(sheet, {})


KEY: Key = ("viettel", "a", 1)
GOOD = ReceiptSeen("accepted", "7")
RECORD = {
    "sector_id": "3100000001",
    "module_code": "GVPT03",
    "school_year": "2025-2026",
    "record_id": "r1",
    "revision": 2,
}
BELIEVED = {"r1": Believed("GVPT03", "2025-2026", 2)}


def write(op: str, digest: str, key: str = "k") -> dict[str, Any]:
    return {"op": op, "key": key, "new_digest": digest}


def test_nothing_is_found_where_all_is_well() -> None:
    """Else a demonstration could not end well."""
    assert list(of_items([(an_item(), GOOD)], {KEY: a_line()}, a_balance(1))) == []
    assert list(of_records([an_item()], BELIEVED, [RECORD])) == []
    assert list(of_writes([write("created", "1"), write("updated", "2")])) == []


@pytest.mark.parametrize(
    ("receipt", "lines", "arrived", "what"),
    [
        (ReceiptSeen("duplicate", "7"), {KEY: a_line()}, 1, "receipt"),
        (ReceiptSeen("accepted", "8"), {KEY: a_line()}, 1, "receipt"),
        (GOOD, {}, 1, "fate"),
        (GOOD, {KEY: a_line(state=State.VERIFIED)}, 1, "fate"),
        (GOOD, {KEY: a_line()}, 2, "arrived"),
    ],
)
def test_a_wrong_receipt_fate_or_ledger_is_found(
    receipt: ReceiptSeen, lines: dict[Key, Line], arrived: int, what: str
) -> None:
    """Each by its own name, so that a reader knows where to look."""
    assert [m.what for m in of_items([(an_item(), receipt)], lines, a_balance(arrived))] == [what]


@pytest.mark.parametrize(
    ("fate", "reason", "state", "found", "fits"),
    [
        ("held", "registry.not_found", State.HELD, "registry.not_found", True),
        ("held", "registry.not_found", State.HELD, "registry.inactive", False),
        ("held", "registry.not_found", State.DELIVERED, None, False),
        ("superseded", None, State.VOIDED, "superseded", True),
        ("superseded", None, State.VOIDED, "replaced", True),
        ("superseded", None, State.VOIDED, "withdrawn", False),
        ("superseded", None, State.DELIVERED, None, False),
        ("delivered", None, State.VOIDED, "superseded", False),
    ],
)
def test_a_fate_is_a_state_with_its_reason(
    fate: Fate, reason: str | None, state: State, found: str | None, fits: bool
) -> None:
    """Held for another reason than the right one is as wrong as not held."""
    line = a_line(state=state, reason=found)
    assert is_as_expected(an_item(fate=fate, reason=reason).expected, line) is fits


@pytest.mark.parametrize(
    ("items", "believed", "records", "what"),
    [
        ([an_item()], {}, [], ["records"]),
        ([an_item(fate="held", reason="x")], BELIEVED, [RECORD], ["records"]),
        ([an_item()], {}, [RECORD], ["record"]),
        ([an_item()], BELIEVED, [RECORD | {"revision": 1}], ["record"]),
    ],
)
def test_a_record_that_is_missing_too_many_or_other_is_found(
    items: list[Item], believed: dict[str, Believed], records: list[dict[str, Any]], what: list[str]
) -> None:
    """What TEMIS shows is compared with what had to be and with what we believe."""
    assert [m.what for m in of_records(items, believed, records)] == what


@pytest.mark.parametrize(
    ("writes", "what"),
    [
        ([write("created", "1"), write("created", "2")], "written_twice"),
        ([write("created", "1"), write("updated", "1")], "written_twice"),
        ([write("updated", "1")], "never_created"),
    ],
)
def test_a_double_write_is_found(writes: list[dict[str, Any]], what: str) -> None:
    """An upserting TEMIS hides doubles; its log of writes does not."""
    assert [m.what for m in of_writes(writes)] == [what]


def test_a_mismatch_names_the_event_and_no_person() -> None:
    """It is printed, and may end in a ticket."""
    [found] = of_items([(an_item(), GOOD)], {}, a_balance(1))
    assert found.subject == "viettel a (1)"
    assert "3100000001" not in str(found)
