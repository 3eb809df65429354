"""The stream of completions: exact in number, steady in proportions, the same each time."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime

import pytest

from gateway.model.clock import ICT
from gateway.sandbox.population import WORKING, population
from gateway.sandbox.roster import StaffRow
from gateway.sandbox.stories import STORIES
from gateway.sandbox.story import PLAIN
from gateway.sandbox.traffic import WINDOW_DAYS, Item, Traffic

TODAY = date(2026, 11, 22)
NOW_MS = int(datetime(2026, 11, 22, 9, tzinfo=ICT).timestamp() * 1000)
PEOPLE = population(4_000, today=TODAY)


def traffic(people: list[StaffRow] = PEOPLE, *, seed: int = 2026, now_ms: int = NOW_MS) -> Traffic:
    return Traffic(people, now_ms=now_ms, seed=seed)


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return list(traffic().items(25_000))  # more than one chunk


def identifier(item: Item) -> str | None:
    body = json.loads(item.body)
    found = body["user"]["sectorCode"] if item.vendor == "viettel" else body["hoc_vien"]["ma_dinh_danh"]
    assert found is None or isinstance(found, str)
    return found


def keys(items: Iterable[Item]) -> list[tuple[str, str, str]]:
    return [(i.expected.sector_id, i.expected.module, i.expected.school_year) for i in items]


@pytest.mark.parametrize("total", [0, 1, 7, 60, 1_000])
def test_exactly_as_many_items_as_asked_for(total: int) -> None:
    """`gateway demo --completions N` says N."""
    assert sum(1 for _ in traffic().items(total)) == total


def test_the_same_roster_time_and_seed_give_the_same_bytes(items: list[Item]) -> None:
    """A run can be repeated exactly; another seed is another run with other event ids."""
    assert list(traffic().items(25_000))[:3_000] == items[:3_000]
    others = {item.expected.event_id for item in traffic(seed=7).items(500)}
    assert others.isdisjoint(item.expected.event_id for item in items)


def test_a_later_run_has_other_event_ids() -> None:
    """Two demos on one database must not meet as duplicates."""
    first = {item.expected.event_id for item in traffic().items(500)}
    second = {item.expected.event_id for item in traffic(now_ms=NOW_MS + 1_000).items(500)}
    assert first.isdisjoint(second)


def test_a_small_run_tells_every_story() -> None:
    """A demo of a hundred completions shows each kind of trouble."""
    seen = {item.expected.story for item in traffic().items(100)}
    assert seen == {PLAIN, *STORIES}


def test_identifiers_come_in_the_measured_proportions(items: list[Item]) -> None:
    """84.3 % `0` + ten digits, 15.0 % personal numbers, the rest odd in some way."""
    lengths = Counter(len(found) if (found := identifier(item)) else 0 for item in items)
    share = {length: count / len(items) * 100 for length, count in lengths.items()}
    assert share[11] == pytest.approx(84.3, abs=1)
    assert share[12] == pytest.approx(15.0, abs=1)
    assert share[9] == pytest.approx(0.25, abs=0.05)
    assert share[5] + share[8] + share[13] == pytest.approx(0.17, abs=0.05)


def test_a_lost_zero_is_lost_from_a_code_that_had_one(items: list[Item]) -> None:
    """Nine digits come from a code that began with 0, as a spreadsheet leaves it."""
    lost = [item for item in items if item.expected.story == "lost_zero"]
    assert lost
    for item in lost:
        assert item.expected.sector_id == f"0{identifier(item)}"


def test_an_event_is_named_once_but_for_repeats_and_corrections(items: list[Item]) -> None:
    """(vendor, event id, revision) is the key that storage relies on."""
    names = Counter((i.vendor, i.expected.event_id, i.expected.revision) for i in items)
    twice = {i.expected.event_id for i in items if i.expected.receipt == "duplicate"}
    assert {name[1] for name, count in names.items() if count > 1} == twice
    assert max(names.values()) == 2
    assert {i.expected.revision for i in items} == {1, 2}


def test_a_repeated_item_is_the_same_to_the_byte(items: list[Item]) -> None:
    """An exact duplicate, sent after the first."""
    first: dict[str, bytes] = {}
    repeats = 0
    for item in items:
        if item.expected.receipt == "duplicate":
            assert item.body == first[item.expected.event_id]
            repeats += 1
        else:
            first.setdefault(item.expected.event_id, item.body)
    assert repeats > 100


def test_a_correction_comes_after_what_it_corrects(items: list[Item]) -> None:
    """The higher revision is the one delivered; the content differs."""
    seen: dict[str, Item] = {}
    corrections = 0
    for item in items:
        expected = item.expected
        if expected.story != "correction":
            continue
        if expected.revision == 1:
            assert (expected.fate, expected.receipt) == ("superseded", "accepted")
            seen[expected.event_id] = item
        else:
            assert (expected.fate, expected.receipt) == ("delivered", "corrected")
            assert seen[expected.event_id].body != item.body
            corrections += 1
    assert corrections == len(seen) > 50


def test_two_items_meet_on_one_record_only_when_their_story_says_so(items: list[Item]) -> None:
    """Otherwise one of them would be superseded by chance and the expected fates would be wrong."""
    records = Counter(
        keys(i for i in items if i.expected.fate == "delivered" and i.expected.receipt != "duplicate")
    )
    assert max(records.values()) == 1
    losers = [i for i in items if i.expected.fate == "superseded"]
    assert set(keys(losers)) <= records.keys()
    assert {i.expected.story for i in losers} == {"retake", "both_vendors", "correction"}


def test_both_vendors_speak_of_the_same_module(items: list[Item]) -> None:
    """One module, one person, two LMSs: two items, one from each."""
    pairs: dict[tuple[str, str, str], set[str]] = {}
    for item in items:
        if item.expected.story == "both_vendors":
            pairs.setdefault(keys([item])[0], set()).add(item.vendor)
    assert pairs
    assert all(vendors == {"viettel", "vnpt"} for vendors in pairs.values())


def test_completions_lie_in_the_window_and_touch_two_school_years(items: list[Item]) -> None:
    """Nothing is completed in the future, and a person's record depends on the year."""
    for item in items:
        if item.vendor == "viettel" and item.expected.story != "no_school_year":
            at_ms = json.loads(item.body)["occurredAt"]
            assert 0 <= NOW_MS - at_ms <= WINDOW_DAYS * 86_400_000
    assert {i.expected.school_year for i in items} == {"2025-2026", "2026-2027"}


@pytest.mark.parametrize("month", range(1, 13))
def test_the_story_without_a_school_year_happens_in_july_of_the_past(month: int) -> None:
    """From June to August nobody may guess the year, in whichever month the demo runs."""
    now = datetime(2026, month, 20, 9, tzinfo=ICT)
    now_ms = int(now.timestamp() * 1000)
    people = population(800, today=now.date())
    found = [i for i in Traffic(people, now_ms=now_ms).items(100) if i.expected.story == "no_school_year"]
    assert found
    for item in found:
        body = json.loads(item.body)
        if item.vendor == "viettel":
            at = datetime.fromtimestamp(body["occurredAt"] / 1000, ICT)
            year = body["course"]["schoolYear"]
        else:
            at, year = datetime.fromisoformat(body["thoi_gian"]), body["khoa_hoc"]["nam_hoc"]
        assert at.month == 7
        assert at < now
        assert year is None


def test_an_odd_account_is_odd_every_time(items: list[Item]) -> None:
    """An LMS account shows one name and one identifier, or the gateway would see it change."""
    shown: dict[tuple[str, str], set[str]] = {}
    for item in items:
        body = json.loads(item.body)
        person = body.get("user") or body["hoc_vien"]
        account = person.get("userId") or person["ma_nguoi_dung"]
        facts = {k: v for k, v in person.items() if k != "trang_thai_xac_thuc"}
        shown.setdefault((item.vendor, account), set()).add(json.dumps(facts, sort_keys=True))
    assert max(map(len, shown.values())) == 1


def test_too_few_people_are_told_before_anything_is_wrong() -> None:
    """Records would have to meet; better no traffic than wrong expectations."""
    few = [person for person in PEOPLE if person.status == WORKING][:40]
    with pytest.raises(ValueError, match="too few people"):
        list(traffic(few).items(5_000))


def test_a_story_that_nobody_can_tell_is_left_out() -> None:
    """A roster without retired people or codes that begin with 0 is still a roster."""
    some = [p for p in PEOPLE if p.status == WORKING and not p.sector_id.startswith("0")][:300]
    seen = Counter(item.expected.story for item in traffic(some).items(400))
    assert not seen.keys() & {"retired", "retired_since", "seconded", "lost_zero", "strangers_identifier"}
    assert seen.total() == 400


def test_a_roster_with_empty_fields_is_enough() -> None:
    """Rosters from outside may lack dates, personal numbers and roles; stories that need them find nobody."""
    bare = [StaffRow(p.sector_id, p.full_name, unit_code=p.unit_code, role=p.role) for p in PEOPLE[:400]]
    strange = [
        StaffRow("3100000001", "Trần A", role=""),
        StaffRow("3100000002", "Trần B", status="Đã nghỉ hưu"),
    ]
    found = list(traffic([*strange, *bare]).items(300))
    seen = {item.expected.story for item in found}
    assert not seen & {"wrong_birth_date", "swapped_birth_date", "lost_zero", "name_without_marks", "retired"}
    assert len(found) == 300
    assert 12 not in {len(identifier(item) or "") for item in found}


def test_wire_items_have_exactly_the_fields_of_the_contract(items: list[Item]) -> None:
    """A field too many would let a connector lean on what no vendor sends."""
    viettel = json.loads(next(i.body for i in items if i.vendor == "viettel"))
    assert list(viettel) == ["eventId", "eventType", "revision", "occurredAt", "user", "course", "result"]
    assert list(viettel["user"]) == ["userId", "fullName", "birthday", "sectorCode", "schoolCode", "position"]
    assert list(viettel["course"]) == ["courseId", "courseCode", "courseName", "schoolYear", "periods"]
    assert list(viettel["result"]) == ["score", "maxScore", "passed", "certificateNo"]
    assert len(viettel["user"]["userId"]) == len(viettel["eventId"]) == len(viettel["course"]["courseId"]) == 24
    vnpt = json.loads(next(i.body for i in items if i.vendor == "vnpt"))
    assert list(vnpt) == ["ma_su_kien", "loai", "phien_ban", "thoi_gian", "hoc_vien", "khoa_hoc", "ket_qua"]
    assert list(vnpt["hoc_vien"]) == [
        "ma_nguoi_dung",
        "ho_ten",
        "ngay_sinh",
        "ma_dinh_danh",
        "ma_truong",
        "vai_tro",
        "trang_thai_xac_thuc",
    ]
    assert list(vnpt["khoa_hoc"]) == ["ma", "ten", "nam_hoc", "so_tiet"]
    assert list(vnpt["ket_qua"]) == ["diem", "thang_diem", "xep_loai", "so_chung_nhan"]


def test_certificates_are_numbered_once_and_only_for_those_who_passed(items: list[Item]) -> None:
    """A search by certificate number finds one completion."""
    numbers: Counter[str] = Counter()
    for item in items:
        body = json.loads(item.body)
        result = body.get("result") or body["ket_qua"]
        number = result.get("certificateNo") or result.get("so_chung_nhan")
        passed = result["passed"] if "passed" in result else result["xep_loai"] not in (None, "Chưa đạt")
        assert (number is not None) == bool(passed)
        if number and item.expected.receipt != "duplicate":
            numbers[number] += 1
    assert max(numbers.values()) == 1
