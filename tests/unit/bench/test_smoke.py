"""Each benchmark with next to no work: its result has the shape that targets need, and no work was left out."""

import sqlite3

import orjson
import pytest

from bench import accept, end_to_end, identities, latency, replay, restart, verdict
from bench.checks import all_delivered, balance_of, rows_of, temis_of
from bench.floor.task import Task, floor
from bench.load import Spec, load
from bench.peers.peer import Peer
from bench.pipeline import pipeline, until_delivered
from bench.place import a_place
from bench.processes import Failed
from bench.targets import judged

TOTAL = 60


def answered(bench, measured):
    """The targets that these figures answer, by what was found: nothing may stay unmeasured."""
    document = {
        "bench": bench.name,
        "options": {"seconds": 1, "waiting": 1, "dead": 1, "rate": 1},
        "figures": {name: figure.as_dict() for name, figure in measured.figures.items()},
        "ratios": measured.ratios,
    }
    document = orjson.loads(orjson.dumps(document))
    return {target.sentence: found.verdict for target, found in judged({bench.name: document}, own_only=True)}


async def test_what_is_sent_is_delivered_once_and_the_floor_writes_as_many_rows():
    """The heart of every figure: the balance closes, and TEMIS has each record written once."""
    async with a_place(TOTAL) as place:
        async with pipeline(place) as parts:
            async with load(place, Spec(place.address, place.secret, TOTAL, batch=25, connections=2)) as sender:
                sent = await sender.go()
            await until_delivered(place, TOTAL, parts.gateway, within_s=60)
            assert min(process.peak_mb() for process in parts.gateway) > 10
            await parts.stop_gateway()
            assert (sent.statuses, sent.accepted) == ({"202": 3}, TOTAL)
            assert await temis_of(place) == {"records": TOTAL, "writes": TOTAL, "items": {"created": TOTAL}}
            await all_delivered(place, TOTAL)
            sheet, rows = await balance_of(place), rows_of(place)
            assert (sheet.received, sheet.states["delivered"]) == (TOTAL, TOTAL)
            with pytest.raises(Failed, match="61 were sent"):
                await all_delivered(place, TOTAL + 1)
            with sqlite3.connect(place.database) as connection:
                connection.execute("DELETE FROM deliveries WHERE id = 1")
            with pytest.raises(Failed, match="does not close"):
                await all_delivered(place, TOTAL)
        folder = place.folder
    assert not folder.exists()
    async with a_place(TOTAL) as place:
        done = await floor(place, Task("whole", TOTAL, batch=25))
    assert (done.rows, done.finished, done.syncs) == (rows, TOTAL, True)


async def test_accepting_is_compared_with_the_same_handler_that_stores_nothing():
    """Everything that was answered by 202 is in the balance, the first requests that are not timed included."""
    options = accept.Options(requests=TOTAL, rounds=1, variants="single.no_storage; single.gateway")
    measured = await accept.measure(options)
    assert set(measured.ratios) == {"single.gateway / single.no_storage"}
    assert measured.figures["single.gateway"].as_dict()["facts"]["cpu_us"] > 0
    accepted = TOTAL + accept.WARM
    assert (
        f"The gateway accepted {accepted} completions; its balance closes with all of them." in measured.notes
    )
    found = answered(accept.BENCH, measured)
    assert found["single POST against the same handler without storage"] in ("met", "not met")


async def test_a_stream_is_measured_by_what_it_committed():
    """A line counts once its checkpoint was told; all of them are in the balance."""
    measured = await accept.measure(accept.Options(items=TOTAL, rounds=1, variants="stream.gateway; batch.raw"))
    assert set(measured.ratios) == {"stream.gateway / batch.raw"}
    assert f"The gateway accepted {TOTAL} completions; its balance closes with all of them." in measured.notes


async def test_a_peer_that_cannot_be_imported_is_left_out_with_a_clear_line(monkeypatch):
    """Peers are optional: without them the other figures are made all the same."""
    peer = Peer("nobody's queue", ("no_such_module",), None)
    monkeypatch.setattr(end_to_end, "discover", lambda *_: {"nobody": peer})
    options = end_to_end.Options(total=TOTAL, rounds=1, variants="floor, rows only")
    measured = await end_to_end.measure(options)
    assert set(measured.figures) == {"floor, rows only"}
    assert measured.notes == [
        "nobody's queue was left out: no_such_module cannot be imported (pip install '.[bench]')."
    ]


async def test_variants_are_chosen_by_name():
    """A name that does not exist is told together with those that do."""
    with pytest.raises(ValueError, match="no such variant: flor; there are: serve; serve \\+ work; floor"):
        await end_to_end.measure(end_to_end.Options(total=TOTAL, peers=0, variants="serve; flor"))


async def test_latency_is_read_from_every_row_at_the_rate_that_was_asked_for():
    """The load does not slow down when answers do; the worst is no better than the median."""
    run = await latency.steady(40, 1)
    assert 0 < run.value <= run.facts["p99_ms"] <= run.facts["worst_ms"]
    assert 30 < run.facts["sent_per_s"] <= 42


def test_the_p99_of_commits_is_the_bound_that_99_of_100_keep():
    """Only commits counted meanwhile matter, and the bound is never below the true value."""
    before = {0.01: 50, 0.02: 50, float("inf"): 50}
    assert latency.p99_ms(before, {0.01: 149, 0.02: 150, float("inf"): 150}) == 10
    assert latency.p99_ms(before, {0.01: 148, 0.02: 150, float("inf"): 150}) == 20
    assert latency.p99_ms({}, {0.01: 90, 0.02: 98, float("inf"): 100}) == 10_000


async def test_a_killed_gateway_starts_delivering_again_and_loses_nothing():
    """The time counts from the start of the process; what was accepted is all there."""
    measured = await restart.measure(restart.Options(waiting=1_500, kills=1, work_ms=1))
    figure = measured.figures["first delivery"].as_dict()
    assert figure["median"] > 100
    assert 0 < figure["facts"]["waiting"] <= 1_500
    assert "the balance closes with all 1500" in measured.notes[0]
    assert "not measured yet" not in answered(restart.BENCH, measured).values()


async def test_verification_at_the_source_is_timed_beside_the_registry_alone():
    """Every question is asked live and answered as verified, by the same client at the same rate."""
    measured = await identities.measure(identities.Options(seconds=1, rate=20, rounds=1))
    figure = measured.figures["identities:verify"]
    assert figure.fact("p50_ms") <= figure.fact("p99_ms") <= figure.fact("worst_ms")
    assert figure.fact("registry_p50_ms") > 0
    assert "not measured yet" not in answered(identities.BENCH, measured).values()


async def test_a_verdict_is_timed_on_cases_that_are_verified():
    """A verdict that stops at the first rule would be quick and prove nothing."""
    measured = await verdict.measure(verdict.Options(cases=20, rounds=2))
    assert len(measured.figures["judge"].runs) == 2
    assert "not measured yet" not in answered(verdict.BENCH, measured).values()


async def test_a_replay_is_measured_and_sets_each_delivery_going_once():
    """Also after two that were cancelled; what live commits notice of it is a ratio."""
    measured = await replay.measure(replay.Options(dead=300, rate=500, seconds=1))
    assert answered(replay.BENCH, measured).keys() == {
        "counting a replay of 10⁵ dead deliveries",
        "live commits beside a replay against alone, p95",
        "memory that a replay of 10⁶ grows by",
    }
    assert measured.figures["plan"].fact("rows") == 300
