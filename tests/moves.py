"""A database that refuses every move of a delivery that is not listed in gateway/model/states.py."""

from gateway.model.states import ALLOWED
from gateway.storage.engine import Database

_PAIRS = ", ".join(f"('{source}', '{target}')" for source, target in sorted(ALLOWED))
_FORBIDDEN = f"OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN ({{values}}{_PAIRS})"

GUARD = {
    "sqlite": [
        f"""CREATE TRIGGER moves_guard BEFORE UPDATE OF state ON deliveries
        WHEN {_FORBIDDEN.format(values="VALUES ")}
        BEGIN SELECT RAISE(ABORT, 'not a move of model/states.py'); END"""
    ],
    "postgresql": [
        """CREATE FUNCTION refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'not a move of model/states.py: % -> %', OLD.state, NEW.state; END $$""",
        f"""CREATE TRIGGER moves_guard BEFORE UPDATE OF state ON deliveries
        FOR EACH ROW WHEN ({_FORBIDDEN.format(values="")}) EXECUTE FUNCTION refuse_move()""",
    ],
}


async def guard_moves(db: Database) -> None:
    """From now on the database itself checks each change of state, whoever makes it."""
    async with db.engine.begin() as connection:
        for statement in GUARD[db.dialect]:
            await connection.exec_driver_sql(statement)
