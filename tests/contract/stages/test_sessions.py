"""Sessions on both engines, with a clock that tests move: how long they last, and what ends them."""

import pytest

from gateway.model.clock import HOUR_MS, MINUTE_MS
from gateway.security import totp
from gateway.stages.sessions import Sessions, digest_of
from gateway.stages.sign_in import Outcome
from gateway.storage.audit import read_audit
from gateway.storage.users import NewUser, find_user, set_totp
from tests.contract.stages.conftest import MACHINE

IDLE_MS, LONGEST_MS = 30 * MINUTE_MS, 12 * HOUR_MS
OWN = "con mèo ngủ trên mái"


@pytest.fixture
def sessions(db, clock, vault, register):
    return Sessions(db, clock, vault, register, idle_ms=IDLE_MS, longest_ms=LONGEST_MS)


@pytest.fixture
async def hoa(acts, db, vault):
    """A school's admin with a one-time password."""
    await acts.make(MACHINE, [NewUser("hoa", "Trần Thị Hoà", "unit_admin", "31312401")])
    return await find_user(db, vault, "hoa")


async def test_only_the_digest_of_the_cookie_is_stored(sessions, hoa, db):
    """Whoever reads the table cannot become anybody."""
    token = await sessions.begin(hoa, is_whole=True)
    async with db.read() as tx:
        [row] = await tx.rows("SELECT * FROM sessions")
    assert row.digest == digest_of(token)
    assert token not in str(row)
    assert await sessions.find(row.digest) is None


async def test_a_session_ends_when_it_is_not_used(sessions, hoa, clock):
    """Each use prolongs it, up to the idle limit; after that it is gone for good."""
    token = await sessions.begin(hoa, is_whole=True)
    for _ in range(3):
        clock.advance(ms=IDLE_MS - 1)
        assert (await sessions.find(token)).user.login == "hoa"
    clock.advance(ms=IDLE_MS)
    assert await sessions.find(token) is None


async def test_a_session_ends_at_its_absolute_limit(sessions, hoa, clock):
    """However much it is used."""
    token = await sessions.begin(hoa, is_whole=True)
    for _ in range(LONGEST_MS // (20 * MINUTE_MS) - 1):
        clock.advance(ms=20 * MINUTE_MS)
        assert await sessions.find(token) is not None
    clock.advance(ms=20 * MINUTE_MS)
    assert await sessions.find(token) is None


async def test_use_is_written_once_a_minute(sessions, hoa, clock, db):
    """A page that is looked at does not cost a write each time."""
    token = await sessions.begin(hoa, is_whole=True)

    async def seen():
        async with db.read() as tx:
            [row] = await tx.rows("SELECT seen_at_ms FROM sessions")
        return row.seen_at_ms

    begun = await seen()
    clock.advance(ms=MINUTE_MS - 1)
    await sessions.find(token)
    assert await seen() == begun
    clock.advance(ms=1)
    await sessions.find(token)
    assert await seen() == clock.now_ms()


async def test_a_session_that_waits_for_the_code_is_short(sessions, hoa, clock):
    """Five minutes between password and code; the session that follows is a new one."""
    half = await sessions.begin(hoa, is_whole=False)
    found = await sessions.find(half)
    assert not found.session.is_whole
    assert not found.is_in
    whole = await sessions.begin(hoa, is_whole=True, instead_of=half)
    assert whole != half
    assert await sessions.find(half) is None
    other = await sessions.begin(hoa, is_whole=False)
    clock.advance(s=300)
    assert await sessions.find(other) is None


async def test_sign_out_ends_this_session_alone_and_is_told(sessions, hoa, db):
    """Other browsers stay signed in; a value that means nothing changes nothing."""
    here, there = [await sessions.begin(hoa, is_whole=True) for _ in range(2)]
    await sessions.end(here)
    await sessions.end("nonsense")
    assert await sessions.find(here) is None
    assert await sessions.find(there) is not None
    told = [(act.actor, act.act) for act in await read_audit(db) if act.act.startswith("user.sign")]
    assert told == [("hoa", "user.sign_out")]


async def of_password(acts, sign_in, user, db, vault):
    handed = await acts.reset(MACHINE, "hoa")
    before = await find_user(db, vault, "hoa")
    assert await sign_in.change_password(before, handed.password, OWN) is None


async def of_reset(acts, sign_in, user, db, vault):
    await acts.reset(MACHINE, "hoa")


async def of_end(acts, sign_in, user, db, vault):
    await acts.end(MACHINE, "hoa")


async def of_second_factor(acts, sign_in, user, db, vault):
    secret = totp.new_secret()
    step = sign_in._clock.now_ms() // (totp.STEP_S * 1000)
    assert await sign_in.confirm_totp(user, secret, totp.code_at(secret, step))


@pytest.mark.parametrize("change", [of_password, of_reset, of_end, of_second_factor])
async def test_what_changes_the_way_in_ends_every_session(sessions, acts, sign_in, hoa, db, vault, change):
    """Whoever stole a cookie loses it with the next password, second factor, reset, or end of the account."""
    tokens = [await sessions.begin(hoa, is_whole=True) for _ in range(2)]
    await change(acts, sign_in, hoa, db, vault)
    assert [await sessions.find(token) for token in tokens] == [None, None]


async def test_duties_come_first_and_follow_the_user(sessions, acts, sign_in, db, vault):
    """A one-time password and, from the commune up, a missing second factor stand before everything else."""
    await acts.make(MACHINE, [NewUser("sogd", "Nguyễn Thu Hằng", "unit_admin", "31")])
    user = await find_user(db, vault, "sogd")
    found = await sessions.find(await sessions.begin(user, is_whole=True))
    assert (found.must_change, found.must_enrol, found.is_in) == (True, True, False)
    handed = await acts.reset(MACHINE, "sogd")
    assert await sign_in.change_password(await find_user(db, vault, "sogd"), handed.password, OWN) is None
    token = await sessions.begin(await find_user(db, vault, "sogd"), is_whole=True)
    found = await sessions.find(token)
    assert (found.must_change, found.must_enrol, found.unit.name) == (False, True, "Sở Hải Phòng")
    await db.write(lambda tx: set_totp(tx, vault, "sogd", totp.new_secret()))
    assert (await sessions.find(token)).is_in


async def test_a_second_factor_in_the_making_stays_the_same_and_is_sealed(sessions, hoa, db):
    """Reloading the page shows the code that was scanned; the table does not show it."""
    token = await sessions.begin(hoa, is_whole=True)
    first = await sessions.enrolling((await sessions.find(token)).session)
    again = await sessions.enrolling((await sessions.find(token)).session)
    assert first == again
    async with db.read() as tx:
        [row] = await tx.rows("SELECT enrol_sealed FROM sessions")
    assert first not in bytes(row.enrol_sealed)


async def test_sessions_that_are_over_are_forgotten(sessions, hoa, clock, db):
    """The table holds what is valid, not what ever was."""
    await sessions.begin(hoa, is_whole=True)
    clock.advance(ms=IDLE_MS)
    await sessions.begin(hoa, is_whole=True)
    async with db.read() as tx:
        assert len(await tx.rows("SELECT 1 FROM sessions")) == 1


async def test_logins_without_a_user_pause_as_others_do(sign_in, acts, clock):
    """Neither the answer nor the pause says whether a login exists."""
    await acts.make(MACHINE, [NewUser("hoa", "Trần Thị Hoà", "viewer", "31312401")])
    told = []
    for login in ("hoa", " Khong.Co "):
        answers = [await sign_in.check(login, "sai hẳn rồi") for _ in range(6)]
        clock.advance(s=60)
        answers += [await sign_in.check(login, "sai hẳn rồi") for _ in range(2)]
        begun = clock.now_ms()
        told.append([(one.outcome, one.paused_until_ms and one.paused_until_ms > 0) for one in answers])
        assert answers[-1].paused_until_ms == begun + 2 * MINUTE_MS
    assert told[0] == told[1]
    assert [outcome for outcome, _ in told[0]] == [Outcome.WRONG] * 5 + [
        Outcome.PAUSED,
        Outcome.WRONG,
        Outcome.PAUSED,
    ]


async def test_a_wrong_code_counts_as_a_wrong_password(sign_in, acts, db, vault, clock):
    """The second half cannot be guessed at leisure, and the right code opens once."""
    [handed] = await acts.make(MACHINE, [NewUser("hoa", "Trần Thị Hoà", "viewer", "31312401")])
    secret = totp.new_secret()
    await db.write(lambda tx: set_totp(tx, vault, "hoa", secret))
    entry = await sign_in.check("hoa", handed.password)
    assert entry.outcome is Outcome.CODE_WANTED
    code = totp.code_at(secret, clock.now_ms() // (totp.STEP_S * 1000))
    assert (await sign_in.check_code(await find_user(db, vault, "hoa"), code)).outcome is Outcome.IN
    for _ in range(5):
        answer = await sign_in.check_code(await find_user(db, vault, "hoa"), code)
        assert answer.outcome is Outcome.WRONG
    assert (await sign_in.check_code(await find_user(db, vault, "hoa"), "123456")).outcome is Outcome.PAUSED
    assert (await sign_in.check("hoa", handed.password)).outcome is Outcome.PAUSED
