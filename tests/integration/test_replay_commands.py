"""`gateway replay` and the acts on single deliveries, as typed: JSON, exit statuses, two people."""

import asyncio

import pytest

from gateway.cli import run
from tests.integration.test_commands import accept, an_item, command, env, work

__all__ = ["command", "env"]


async def call(command, *argv, status=0):
    return await asyncio.to_thread(command, *argv, status=status)


async def test_a_plan_forecasts_on_stored_answers_and_changes_nothing(env, command):
    """A held stranger stays held by what is stored; what was mapped meanwhile would be sent."""
    await work(env, an_item(0, "a", name="Trần Văn Khác"), an_item(1, "b", course="KHOA-TU-CHON"))
    await call(command, "courses", "map", "viettel", "KHOA-TU-CHON", "GVPT05")
    plan = await call(command, "replay", "plan", "--state", "held", "--again", "verify")
    assert plan["total"] == 2
    told = {group["reason"]: (group["n"], group["sampled"], group["forecast"]) for group in plan["groups"]}
    assert told == {
        "attribute.name_mismatch": (1, 1, {"attribute.name_mismatch": 1}),
        "course.unmapped": (1, 1, {"sends": 1}),
    }
    rows = (await call(command, "deliveries", "list"))["deliveries"]
    assert [row["state"] for row in rows] == ["held", "held"]


async def test_a_replay_is_begun_paused_resumed_and_cancelled(env, command):
    """Without a worker it waits; each act is done once and told."""
    await work(env, an_item(0, "a", name="Trần Văn Khác"))
    dry = await call(command, "replay", "run", "--reason", "attribute.name_mismatch", "--dry-run")
    assert dry == {"total": 1, "dry_run": True}
    begun = await call(command, "replay", "run", "--vendor", "viettel", "--canary", "0")
    assert (begun["state"], begun["total"], begun["params"]["canary"]) == ("waiting", 1, 0)
    id_ = str(begun["id"])
    assert (await call(command, "replay", "pause", id_))["changed"] is True
    assert (await call(command, "replay", "pause", id_, status=4))["changed"] is False
    assert (await call(command, "replay", "resume", id_))["changed"] is True
    await work(env)
    assert (await call(command, "replay", "cancel", id_))["state"] == "cancelled"
    assert (await call(command, "replay", "cancel", id_, status=4))["changed"] is False
    assert [one["id"] for one in (await call(command, "replay", "status"))["replays"]] == [begun["id"]]
    await call(command, "replay", "status", "99999", status=4)


@pytest.mark.parametrize(
    "argv",
    [
        ["replay", "run"],
        ["replay", "plan", "--state", "delivered"],
        ["replay", "plan", "--course", "c-1"],
        ["replay", "plan", "--state", "dead", "--again", "everything"],
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_happens(env, capsys, argv):
    """Nobody replays everything by leaving an option out."""
    assert run(argv, env) == 2
    assert capsys.readouterr().err.startswith("Error (configuration)")


async def test_discard_and_restore_by_command(env, command):
    """With a reason, in the audit; what is finished is named and refused."""
    await work(env, an_item(0, "a", name="Trần Văn Khác"), an_item(1, "b"))
    done = await call(command, "deliveries", "discard", "1", "2", "--why", "test", "--dry-run", status=4)
    assert (done["discarded"], done["left"]) == ([1], [2])
    done = await call(command, "deliveries", "discard", "1", "2", "--why", "test", status=4)
    assert (done["discarded"], done["left"]) == ([1], [2])
    assert (await call(command, "deliveries", "restore", "1"))["restored"] == [1]
    await call(command, "deliveries", "restore", "1", status=4)


async def test_an_edit_takes_two_logins_and_the_right_role(env, command, capsys):
    """Who proposes does not approve, an operator is no approver, and the identifier is in no argument."""
    await accept(env, an_item(0, "a", name="Trần Văn Khác"))
    await work(env)
    await call(command, "users", "add", "op1", "--role", "operator", "--name", "Người vận hành")
    await call(command, "users", "add", "op2", "--role", "operator", "--name", "Người vận hành hai")
    edit = ["deliveries", "edit", "1", "--why", "sai năm học", "--school-year", "2024-2025"]
    made = await call(command, *edit, "--as", "op1")
    assert (made["fields"], made["decision"]) == (["school_year"], None)
    await call(command, "deliveries", "approve", str(made["id"]), "--as", "op2", status=4)
    await call(command, "deliveries", "approve", str(made["id"]), "--as", "nobody", status=4)
    await call(command, *edit, "--as", "op2", status=4)


async def test_a_list_is_told_in_the_readers_words(env, command, capsys):
    """State, kind and owner in Vietnamese; the reason stays the code one filters by."""
    await work(env, an_item(0, "a", name="Trần Văn Khác"))
    capsys.readouterr()
    assert await asyncio.to_thread(run, ["--lang", "vi", "deliveries", "list"], env) == 0
    shown = capsys.readouterr().out
    assert "attribute.name_mismatch" in shown
    assert "kết quả" in shown
    assert " held " not in shown
