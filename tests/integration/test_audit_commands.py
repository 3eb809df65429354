"""`gateway audit list` and `verify`: what was done, and that it still says so."""

import json
import sqlite3

import pytest

from gateway.cli import run
from gateway.security.keys import KeyRing
from gateway.security.seals import sealing_key
from gateway.stages.audit_sealing import AuditSealing
from gateway.storage.engine import open_database
from gateway.storage.leases import acquire
from tests.builders import FakeClock


@pytest.fixture
def call(tmp_path, capsys):
    """Runs one command -> (status, output); the database is a file, so that it can be tampered with."""
    env = {
        "GATEWAY_DATA_DIR": str(tmp_path / "data"),
        "GATEWAY_KEYS_FILE": str(tmp_path / "keys" / "keys.json"),
        "LANG": "en_US.UTF-8",
    }
    assert run(["init"], env) == 0

    def command(*argv: str):
        capsys.readouterr()
        status = run(list(argv), env)
        return status, capsys.readouterr().out

    return command


@pytest.fixture
def imported(call, tmp_path):
    """Two acts, done by commands."""
    units = tmp_path / "units.csv"
    units.write_text("code,name,level,parent\n31,Sở Hải Phòng,department,\n", "utf-8")
    for _ in range(2):
        assert call("units", "import", str(units))[0] == 0
    return call


async def seal(tmp_path):
    """What the leader does each second."""
    db, clock = open_database(f"sqlite:///{tmp_path / 'data' / 'gateway.db'}"), FakeClock()
    key = sealing_key(KeyRing.load(tmp_path / "keys" / "keys.json").digest.material)
    lease = await acquire(db, clock, "leader", "test", 30_000)
    await AuditSealing(db, clock, key, ttl_ms=30_000).run(lease)
    await db.close()


def test_acts_are_listed_with_who_and_what(imported):
    """The newest first; the next page begins below the last."""
    status, out = imported("audit", "list", "--act", "units.import", "--limit", "1", "--json")
    told = json.loads(out)
    assert (status, told["before"]) == (0, told["acts"][0]["id"])
    assert told["acts"][0]["object"] == "units.csv"
    assert told["acts"][0]["actor"].startswith("machine")
    _, out = imported("audit", "list", "--before", str(told["before"]), "--json")
    assert [act["id"] for act in json.loads(out)["acts"]] == [told["before"] - 1]
    assert "units.import" in imported("audit", "list")[1]


def test_what_is_not_sealed_yet_is_stated(imported):
    """No leader ran: nothing is proved, and that is said."""
    status, out = imported("audit", "verify", "--json")
    told = json.loads(out)
    assert (status, told["whole"], told["head"]) == (0, True, None)
    assert told["unsealed"]["rows"] == 2
    assert "2 rows not sealed yet" in imported("audit", "verify")[1]


def test_a_tampered_audit_ends_in_a_fault(imported, tmp_path):
    """Exit status 1, and the row by its number; before that, 0 and the head to be kept elsewhere."""
    import asyncio

    asyncio.run(seal(tmp_path))
    status, out = imported("audit", "verify", "--json")
    head = json.loads(out)["head"]
    assert (status, head["seq"]) == (0, 1)
    known = f"1:{head['hash']}"
    assert imported("audit", "verify", "--head", known)[0] == 0
    database = sqlite3.connect(tmp_path / "data" / "gateway.db")
    database.execute("UPDATE audit SET actor = 'nobody' WHERE id = 2")
    database.commit()
    database.close()
    status, out = imported("audit", "verify")
    assert status == 1
    assert "Seal 1, row 2: its content was changed." in out
    assert imported("audit", "verify", "--head", "2:" + "0" * 64)[0] == 1
    assert imported("audit", "verify", "--head", "nonsense")[0] == 2


def test_who_may_send_is_configuration_and_stands_in_the_audit(call):
    """A vendor added, a secret made anew: acts of whoever did it on the machine, without the secret."""
    secret = json.loads(call("vendors", "add", "viettel", "--json")[1])["secret"]
    assert call("vendors", "rotate", "viettel")[0] == 0
    out = call("audit", "list", "--object", "vendor:viettel", "--json")[1]
    assert [act["act"] for act in json.loads(out)["acts"]] == ["vendor.rotate", "vendor.add"]
    assert secret not in out
