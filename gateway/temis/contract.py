"""What crosses the border to TEMIS, as we assume it: requests we send, answers we accept.

Source: contracts/temis/README.md. The ministry's interface document is not public, so every field is an
assumption; when the real one arrives, this file changes, with mapping.py and client.py beside it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

MAX_ITEMS = 200  # records in one push, keys in one query

SCHOOL_YEAR = r"^20[0-9]{2}-20[0-9]{2}$"
INSTANT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$"  # RFC 3339


class Sent(BaseModel):
    """What we send: strict, nothing beyond the contract."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Received(BaseModel):
    """What we are sent: the fields we read must fit, others are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class NaturalKey(NamedTuple):
    """What makes a BDTX record one record."""

    sector_id: str
    module_code: str
    school_year: str


def at_most_two_decimals(score: float) -> float:
    if round(score, 2) != score:
        raise ValueError("more than two decimals")
    return score


def a_real_instant(value: str) -> str:
    datetime.fromisoformat(value)
    return value


SectorId = Annotated[str, Field(pattern=r"^[0-9]{10}$", description="Sector identifier, 10 digits, text.")]
ModuleCode = Annotated[str, Field(min_length=1, max_length=64, description="Canonical module code: GVPT03.")]
SchoolYear = Annotated[str, Field(pattern=SCHOOL_YEAR, description="Like 2025-2026.")]
Score = Annotated[
    float,
    Field(ge=0, le=10, allow_inf_nan=False, description="10-point scale, at most two decimals."),
    AfterValidator(at_most_two_decimals),
]
Instant = Annotated[
    str, Field(pattern=INSTANT, description="RFC 3339 with offset."), AfterValidator(a_real_instant)
]
Revision = Annotated[
    int, Field(ge=1, lt=2**53, description="The gateway's own counter for this key; it only rises.")
]
RecordId = Annotated[str, Field(min_length=1, max_length=128, description="TEMIS's own id of the record.")]


class RecordKey(Sent):
    """A natural key on the wire."""

    sector_id: SectorId
    module_code: ModuleCode
    school_year: SchoolYear


class RecordItem(Sent):
    """One BDTX record to create, replace or withdraw."""

    sector_id: SectorId
    module_code: ModuleCode
    school_year: SchoolYear
    programme: str | None = Field(
        None, max_length=64, description="BDTX programme: 01, 02 or 03; null where none applies."
    )
    periods: int | None = Field(None, ge=0, le=10_000, description="Effort in tiết.")
    score: Score | None = None
    result: Literal["passed", "not_passed"]
    completed_at: Instant
    vendor: str = Field(min_length=1, max_length=64, description="LMS the result comes from.")
    certificate_no: str | None = Field(None, max_length=256)
    withdrawn: bool = Field(False, description="True takes the record out of the person's file.")
    delivery: str | None = Field(None, max_length=64, description="The gateway's reference, for support only.")
    revision: Revision

    @property
    def key(self) -> NaturalKey:
        return NaturalKey(self.sector_id, self.module_code, self.school_year)


class BatchRequest(Sent):
    """1 to 200 records; two items of one batch never share a key."""

    items: list[RecordItem] = Field(min_length=1, max_length=MAX_ITEMS)


class AnswerStatus(StrEnum):
    """What TEMIS did with one item."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"  # the same content is stored already
    STALE = "stale"  # a higher revision is stored already
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"


class RefusalCode(StrEnum):
    """Why one item was refused. Another code is accepted on the wire and counts as TEMIS's own fault."""

    ACCOUNT_MISSING = "account_missing"
    ACCOUNT_STOPPED = "account_stopped"
    UNIT_MISSING = "unit_missing"
    SELF_REPORTED = "self_reported"
    MODULE_UNKNOWN = "module_unknown"
    MALFORMED = "malformed"


class ItemAnswer(Received):
    """TEMIS's answer to one item, in the order the items were sent."""

    sector_id: str
    module_code: str
    school_year: str
    status: AnswerStatus
    code: str | None = Field(
        None, min_length=1, max_length=64, description="RefusalCode; given when the status is refused."
    )
    record_id: RecordId | None = None
    revision: Revision | None = Field(None, description="The revision that is stored now.")

    @model_validator(mode="after")
    def _refusal_has_a_code(self) -> Self:
        if (self.status is AnswerStatus.REFUSED) is (self.code is None):
            raise ValueError("a code is given exactly when the status is refused")
        return self

    @property
    def key(self) -> NaturalKey:
        return NaturalKey(self.sector_id, self.module_code, self.school_year)


class BatchAnswer(Received):
    """One answer per item, in the order sent."""

    answers: list[ItemAnswer]


class StoredRecord(Received):
    """A record as TEMIS keeps it."""

    sector_id: str
    module_code: str
    school_year: str
    programme: str | None = None
    periods: int | None = None
    score: float | None = Field(None, allow_inf_nan=False)
    result: Literal["passed", "not_passed"]
    completed_at: Instant
    vendor: str
    certificate_no: str | None = None
    withdrawn: bool = False
    revision: Revision
    record_id: RecordId

    @property
    def key(self) -> NaturalKey:
        return NaturalKey(self.sector_id, self.module_code, self.school_year)


class QueryRequest(Sent):
    """1 to 200 keys to read back."""

    keys: list[RecordKey] = Field(min_length=1, max_length=MAX_ITEMS)


class QueryAnswer(Received):
    """One entry per key, in the order asked; null says that TEMIS has no such record."""

    records: list[StoredRecord | None]


BATCH_REQUEST = TypeAdapter(BatchRequest)
BATCH_ANSWER = TypeAdapter(BatchAnswer)
QUERY_REQUEST = TypeAdapter(QueryRequest)
QUERY_ANSWER = TypeAdapter(QueryAnswer)
