"""Our words -> TEMIS's words, and whether what TEMIS has stored is what we meant. Pure.

Completion + person + module + school year + our revision -> RecordItem
"""

import hashlib
from datetime import datetime
from typing import NamedTuple

import orjson
from pydantic import ValidationError

from gateway.model.clock import iso
from gateway.model.completion import Completion
from gateway.model.errors import FieldError, PayloadInvalid
from gateway.temis.contract import RecordItem, StoredRecord


class Content(NamedTuple):
    """What a record says, in one spelling: two records with equal content are the same to everybody."""

    programme: str | None
    periods: int | None
    score_hundredths: int | None
    result: str
    completed_at_ms: int
    vendor: str
    certificate_no: str | None
    withdrawn: bool


def to_item(
    completion: Completion,
    *,
    sector_id: str,
    module_code: str,
    school_year: str,
    revision: int,
    programme: str | None = None,
    periods: int | None = None,
    delivery: str | None = None,
    withdrawn: bool = False,
) -> RecordItem:
    """The record that this completion becomes.

    `revision`: our counter of this key, never the vendor's. `periods`: the catalogue's figure; without one the
    vendor's is taken.

    Raises: PayloadInvalid naming the fields TEMIS could not take; also when the result is not stated, since
    a result is never guessed.
    """
    result = completion.result
    if result.passed is None:
        fault = FieldError("$.result.passed", "result.unstated", "whether the result is a pass is not stated")
        raise PayloadInvalid([fault], completion.event_id)
    score = result.score_hundredths
    try:
        return RecordItem(
            sector_id=sector_id,
            module_code=module_code,
            school_year=school_year,
            programme=programme,
            periods=periods if periods is not None else completion.course.periods,
            score=None if score is None else score / 100,
            result="passed" if result.passed else "not_passed",
            completed_at=iso(completion.completed_at_ms),
            vendor=completion.vendor,
            certificate_no=result.certificate_no,
            withdrawn=withdrawn,
            delivery=delivery,
            revision=revision,
        )
    except ValidationError as error:
        faults = [
            FieldError("$." + ".".join(map(str, e["loc"])), "temis.malformed", e["type"])
            for e in error.errors(include_input=False, include_url=False)
        ]
        raise PayloadInvalid(faults, completion.event_id) from None


def content(record: RecordItem | StoredRecord) -> Content:
    """The content without key, revision and references. Instants compare as instants, whatever the offset."""
    return Content(
        programme=record.programme,
        periods=record.periods,
        score_hundredths=None if record.score is None else round(record.score * 100),
        result=record.result,
        completed_at_ms=round(datetime.fromisoformat(record.completed_at).timestamp() * 1000),
        vendor=record.vendor,
        certificate_no=record.certificate_no,
        withdrawn=record.withdrawn,
    )


def same_content(ours: RecordItem, theirs: StoredRecord) -> bool:
    """Whether TEMIS holds what we sent: the question after an outcome that is unknown.

    A record withdrawn on both sides is the same, whatever else it once said.
    """
    if ours.withdrawn and theirs.withdrawn:
        return True
    return content(ours) == content(theirs)


def content_digest(record: RecordItem | StoredRecord) -> bytes:
    """16 bytes, equal for equal content. It holds no name and no identifier."""
    return hashlib.blake2b(orjson.dumps(tuple(content(record))), digest_size=16).digest()
