"""What crosses the border to the sector database (CSDL ngành), as we assume it.

Source: contracts/registry/README.md. The sector database publishes no interface for this, so every field is
an assumption; when the real one arrives, this file and registry.py change and nothing else.
"""

from datetime import date

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from gateway.model.person import IdentifierType

MAX_IDENTIFIERS = 100  # in one look-up


class Sent(BaseModel):
    """What we send: strict, nothing beyond the contract."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Received(BaseModel):
    """What we are sent: the fields we read must fit, others are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Identifier(Sent):
    """One question. The type is sent with the value: nine digits alone do not say what they are."""

    type: IdentifierType
    value: str = Field(min_length=1, max_length=64)


class LookupRequest(Sent):
    """1 to 100 identifiers."""

    identifiers: list[Identifier] = Field(min_length=1, max_length=MAX_IDENTIFIERS)


class StaffFile(Received):
    """One person's file. It carries no personal number: we never need it back."""

    sector_id: str = Field(min_length=1)
    full_name: str
    birth_date: date | None = None
    gender: str | None = None
    unit_code: str | None = Field(None, description="School or office, text.")
    unit_name: str | None = None
    role: str | None = Field(None, description="GV or CBQL; another text is staff without a BDTX role.")
    status: str = Field(description="Trạng thái CB as written in the file; eight values are known.")
    status_since: date | None = Field(None, description="Ngày trạng thái.")


class LookupAnswer(Received):
    """The files that carry one identifier: none, one, or several."""

    type: IdentifierType
    value: str
    hits: list[StaffFile]


class LookupAnswers(Received):
    """One answer per identifier, in the order asked. A missing answer is an error, never `not found`."""

    answers: list[LookupAnswer]


class SearchRequest(Sent):
    """Everybody with this full name (spelled so, case ignored) and birth date."""

    full_name: str = Field(min_length=1, max_length=200)
    birth_date: date


class SearchAnswer(Received):
    hits: list[StaffFile]


class ChangedIdentifier(Received):
    """Type and value as in Identifier; a type we do not know is passed over."""

    type: str
    value: str


class ChangedFile(Received):
    """One file that changed. Carries the identifiers it has and had, so that whoever waits for one hears it."""

    changed_at: AwareDatetime
    identifiers: list[ChangedIdentifier]


class ChangesAnswer(Received):
    """A page of the change feed, oldest first."""

    changes: list[ChangedFile]
    next: str = Field(description="Cursor: pass it as `since` next time.")
    more: bool = Field(description="Whether another page is ready now.")
    as_of: AwareDatetime = Field(description="The feed is complete up to this moment.")


class ChangesNotice(Received):
    """What the sector database may send to us: changes, signed, in the form of the feed."""

    changes: list[ChangedFile] = Field(max_length=10_000)


LOOKUP_REQUEST = TypeAdapter(LookupRequest)
LOOKUP_ANSWERS = TypeAdapter(LookupAnswers)
SEARCH_REQUEST = TypeAdapter(SearchRequest)
SEARCH_ANSWER = TypeAdapter(SearchAnswer)
CHANGES_ANSWER = TypeAdapter(ChangesAnswer)
CHANGES_NOTICE = TypeAdapter(ChangesNotice)
