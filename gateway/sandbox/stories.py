"""What goes wrong in real life, as a table: how often, to whom, and what must become of it.

Source: one province's statistics of identifiers (0.5 % lost a zero, 0.17 % odd) and the figures on people whom
the sector database does not match yet (2-5 %); the other shares are chosen so that each kind is seen.
"""

from collections.abc import Collection

from gateway.sandbox import spelling
from gateway.sandbox import story_fits as fits
from gateway.sandbox import story_telling as telling
from gateway.sandbox.story import PLAIN, Story

STORIES: dict[str, Story] = {
    "unknown_identifier": Story(0.012, telling.shown(telling.unknown, "registry.not_found"), fits=fits.anyone),
    "one_digit_off": Story(
        0.004, telling.shown(telling.one_digit_off, "registry.not_found"), fits=fits.unlike_phone
    ),
    "strangers_identifier": Story(
        0.002, telling.shown(telling.strangers, "attribute.name_mismatch"), fits=fits.anyone
    ),
    "no_identifier": Story(
        0.001,
        telling.shown(lambda _, who, __: who._replace(identifier=None), "format.missing"),
        fits=fits.anyone,
    ),
    "plain_identifier": Story(
        0.0025, telling.shown(lambda _, who, file: who._replace(identifier=file.sector_id)), fits=fits.anyone
    ),
    "lost_zero": Story(
        0.0025,
        telling.shown(lambda _, who, file: who._replace(identifier=file.sector_id[1:])),
        fits=fits.lost_zero,
    ),
    "odd_identifier": Story(0.0012, telling.shown(telling.odd_length, "format.length"), fits=fits.anyone),
    "school_code": Story(
        0.0005,
        telling.shown(
            lambda _, who, file: who._replace(identifier=file.unit_code), "format.looks_like_school_code"
        ),
        fits=fits.anyone,
    ),
    "wrong_birth_date": Story(
        0.005, telling.shown(telling.other_day, "attribute.birth_date_mismatch"), fits=fits.dated
    ),
    "swapped_birth_date": Story(
        0.002, telling.shown(telling.swapped, "attribute.birth_date_swapped"), fits=fits.swappable
    ),
    "name_damaged": Story(
        0.001, telling.named(spelling.damaged, "attribute.name_damaged"), fits=fits.breakable
    ),
    "retired": Story(0.003, telling.held("registry.inactive"), fits=fits.retired_before, works=False),
    "seconded": Story(0.001, telling.held("registry.status_unclear"), fits=fits.seconded, works=False),
    "retired_since": Story(0.001, telling.still_working, fits=fits.retired_since, works=False),
    "unmapped_course": Story(0.003, telling.unmapped),
    "no_school_year": Story(0.002, telling.july),
    "result_unstated": Story(0.002, telling.result(None, 60, 90, "result.unstated")),
    "result_contradictory": Story(0.001, telling.result(True, 10, 40, "result.contradictory")),
    "correction": Story(0.010, telling.correction, items=2),
    "retake": Story(0.020, telling.retake, items=2),
    "both_vendors": Story(0.010, telling.both_vendors, items=2),
    "duplicate": Story(0.020, telling.duplicate, items=2),
    "not_passed": Story(0.020, telling.result(False, 20, 45)),
    "name_decomposed": Story(0.020, telling.named(spelling.decomposed), fits=fits.marked),
    "name_capitals": Story(0.030, telling.named(spelling.capitals), fits=fits.anyone),
    "name_tone_place": Story(0.015, telling.named(spelling.other_tone_place), fits=fits.tone),
    "name_without_marks": Story(0.010, telling.named(spelling.without_marks), fits=fits.marked),
}


def plan(size: int, pools: Collection[str], *, at_least_one: bool) -> list[str]:
    """Story names that make `size` items, in the order of the table; the rest is plain.

    `at_least_one`: each story occurs, as far as there is room. A story without people is left out.
    """
    names: list[str] = []
    room = size
    for name, story in STORIES.items():
        if story.fits is not None and name not in pools:
            continue
        times = round(size * story.share / story.items)
        times = min(max(times, 1) if at_least_one else times, room // story.items)
        names += [name] * times
        room -= times * story.items
    return names + [PLAIN] * room
