"""Fixtures for tests of accounts: a department with its units, and the acts on its people's accounts."""

from datetime import date

import pytest
from argon2 import PasswordHasher

from gateway.bdtx.unit_store import UnitRegister, save
from gateway.bdtx.units import Level, Unit
from gateway.bdtx.units_file import Plan
from gateway.security import passwords
from gateway.security.keys import KeyRing
from gateway.security.vault import Vault
from gateway.stages.sign_in import SignIn
from gateway.stages.users import Actor, UserActs
from gateway.storage.data_keys import ensure_data_keys

UNITS = [
    Unit("31", "Sở Hải Phòng", Level.DEPARTMENT),
    Unit("11581", "UBND phường An Dương", Level.COMMUNE, "31", date(2025, 7, 1)),
    Unit("11617", "UBND phường An Hải", Level.COMMUNE, "31", date(2025, 7, 1)),
    Unit("31312401", "TH An Đồng", Level.SCHOOL, "11617", teaches=("TH",)),
    Unit("31312402", "TH Hồng Phong", Level.SCHOOL, "11581", teaches=("TH",)),
    Unit("DHSP", "Đại học Sư phạm", Level.ORGANISER),
]
MACHINE = Actor("machine:test")


@pytest.fixture
def cheap_hashes(monkeypatch):
    """The same Argon2id with less memory: what is tested with accounts is not its price."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
async def vault(db, clock, tmp_path):
    made = Vault(KeyRing.generate(tmp_path / "keys" / "keys.json"))
    await ensure_data_keys(db, made, clock)
    return made


@pytest.fixture
async def register(db, clock):
    await save(db, clock, Plan(new=UNITS), actor="machine:test", file="units.csv", content=b"")
    return UnitRegister(db, clock)


@pytest.fixture
def acts(db, clock, vault, register, cheap_hashes):
    return UserActs(db, clock, vault, register)


@pytest.fixture
def sign_in(db, clock, vault, register, cheap_hashes):
    return SignIn(db, clock, vault, register)
