"""The moves between states: the table says all there are, and the database sees no others."""

import pytest
from sqlalchemy.exc import DBAPIError

from gateway.model.states import MOVES, State, is_allowed
from tests.moves import guard_moves

# Written out by hand, so that a change of the table is a decision and not a slip. Columns as rows.
GRID = """
accepted   . x x . x x
held       x x x . x x
verified   . x . x x x
delivered  . . x . . x
dead       x . x . . x
voided     x x x . x .
"""
EXPECTED = {
    (State(line.split()[0]), target): mark == "x"
    for line in GRID.strip().splitlines()
    for target, mark in zip(State, line.split()[1:], strict=True)
}


@pytest.mark.parametrize(("source", "target"), EXPECTED, ids=lambda state: state.value)
def test_every_pair_is_decided(source, target):
    """What is not listed is refused; a delivered row only makes way or is sent again."""
    assert is_allowed(source, target) is EXPECTED[source, target]


def test_no_move_is_listed_twice():
    """One line per source, target, cause and actor: otherwise the page would count what is one as two."""
    assert len(set(MOVES)) == len(MOVES)


def test_no_machine_brings_back_what_has_ended():
    """A stage may void what is dead; out of `voided` and `dead` only people and the choice of a winner lead."""
    stages = {"receive", "verify", "deliver"}
    moves = {(m.source, m.target) for m in MOVES if m.by in stages and m.source in (State.VOIDED, State.DEAD)}
    assert moves == {(State.DEAD, State.VOIDED)}


async def test_the_guarded_database_refuses_what_is_not_listed(db):
    """The guard that watches the queue's own tests (tests/moves.py) lets exactly the listed pairs pass."""
    await guard_moves(db)
    passed = {}
    for source, target in EXPECTED:
        try:
            await db.write(lambda tx, a=source, b=target: _move(tx, a, b))
            passed[source, target] = True
        except DBAPIError as error:
            passed[source, target] = "not a move of model/states.py" not in str(error.orig)
    assert passed == {
        pair: allowed or pair[0] is pair[1]  # a row may be written again in its state
        for pair, allowed in EXPECTED.items()
    }


async def _move(tx, source, target):
    await tx.run("DELETE FROM deliveries WHERE event_id = 'probe'")
    await tx.run(
        "INSERT INTO deliveries (vendor_id, event_id, revision, kind, digest, received_at_ms, day, lane, state,"
        " changed_at_ms) VALUES (1, 'probe', 1, 'completion', :digest, 0, 0, 101, :state, 0)",
        state=source.value,
        digest=b"",
    )
    await tx.run("UPDATE deliveries SET state = :state WHERE event_id = 'probe'", state=target.value)
