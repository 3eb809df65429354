"""xAPI 1.0.3: statements of any LMS. completed, passed and failed of a course become completions.

What is not stated stays unstated: `completed` alone is no pass. Quirks of Moodle's logstore_xapi and of Open
edX's event-routing-backends are read as they really come.
Source: contracts/vendors/xapi/README.md; xAPI-Data.md 2.4 of adlnet/xAPI-Spec.
"""

import hashlib
import json
import re
import uuid
from typing import Annotated

from pydantic import BaseModel, Field

from gateway.connectors import Connector, Unsupported, fields, readings, wire
from gateway.connectors.faults import MAX_ID_CHARS, fault
from gateway.connectors.fields import Id, IsoMs, ObjectOrNothing, Periods, Score, Stated, Text
from gateway.connectors.wire import Wire
from gateway.model.completion import Claim, Completion, Course, Result, Role
from gateway.model.errors import PayloadInvalid

ADL = "http://adlnet.gov/expapi/verbs/"
COMPLETED, PASSED, FAILED, VOIDED = (ADL + verb for verb in ("completed", "passed", "failed", "voided"))
# A statement about a module, a video or a block of a course is no completion of the course.
COURSE_TYPES = frozenset(
    {"http://adlnet.gov/expapi/activities/course", "http://id.tincanapi.com/activitytype/lms/course"}
)
# An account with this homePage is the sector identifier itself, as text.
SECTOR = "urn:lms-temis-gateway:sector"
OURS = "urn:lms-temis-gateway:xapi:"  # our extensions in `context.extensions`
ROLES = {"gv": Role.TEACHER, "cbql": Role.MANAGER}

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NAMESPACE = uuid.UUID("6f1c2f0e-7d0b-5d3a-9d0c-2b8f6a1e4c57")


class XapiAccount(Wire):
    """A learner's account in some system."""

    home_page: Text = Field(None, alias="homePage")
    name: Text = Field(None, description="Moodle sends its numeric user id; a sector identifier is text")


class XapiActor(Wire):
    """One agent, named by one of account, openid, mbox and mbox_sha1sum; the first of these counts."""

    name: Text = Field(None, description="a label, taken as the full name unless the extension states it")
    account: Annotated[XapiAccount | None, ObjectOrNothing] = None
    openid: Text = None
    mbox: Text = None
    mbox_sha1sum: Text = None


class XapiVerb(Wire):
    """What was done."""

    id: Text = None


class XapiName(Wire):
    """Titles by language; Vietnamese is preferred."""

    vi: Text = None
    vi_vn: Text = Field(None, alias="vi-VN")
    en: Text = None
    en_us: Text = Field(None, alias="en-US")


class XapiDefinition(Wire):
    """What the course is."""

    name: Annotated[XapiName | None, ObjectOrNothing] = None
    type: Text = Field(None, description="a course; other types are not read")


class XapiObject(Wire):
    """The course."""

    id: Id
    definition: Annotated[XapiDefinition | None, ObjectOrNothing] = None


class XapiScore(Wire):
    """raw with max and min, or scaled."""

    scaled: Score = Field(None, description="-1 to 1")
    raw: Score = None
    min: Score = None
    max: Score = None


class XapiResult(Wire):
    """The result; only `success`, or the verb, states one."""

    score: Annotated[XapiScore | None, ObjectOrNothing] = None
    success: Stated = None
    completion: Stated = None
    duration: Text = Field(None, description="ISO 8601; kept as sent, compared as text")


class XapiExtensions(Wire):
    """What the sector needs and xAPI has no place for."""

    identifier: Text = Field(None, alias=OURS + "identifier", description="sector identifier, text")
    full_name: Text = Field(None, alias=OURS + "full_name")
    birth_date: Text = Field(None, alias=OURS + "birth_date")
    unit_code: Text = Field(None, alias=OURS + "unit_code", description="school code, text")
    role: Text = Field(None, alias=OURS + "role", description="GV or CBQL")
    course_code: Text = Field(None, alias=OURS + "course_code", description="GVPT 03")
    school_year: Text = Field(None, alias=OURS + "school_year", description="2025-2026")
    periods: Periods = Field(None, alias=OURS + "periods", description="tiết")
    class_name: Text = Field(None, alias=OURS + "class_name")
    organiser: Text = Field(None, alias=OURS + "organiser")
    certificate_no: Text = Field(None, alias=OURS + "certificate_no")


class XapiContext(Wire):
    """Where it happened."""

    registration: Text = Field(None, description="the run of the course")
    extensions: Annotated[XapiExtensions | None, ObjectOrNothing] = None


class XapiStatement(Wire):
    """One statement; what is not named here is kept and not read."""

    id: Text = Field(None, description="UUID; without one it is made from the content")
    actor: XapiActor
    verb: XapiVerb
    object: XapiObject
    result: Annotated[XapiResult | None, ObjectOrNothing] = None
    context: Annotated[XapiContext | None, ObjectOrNothing] = None
    timestamp: IsoMs | None = Field(None, description="ISO 8601 with offset; the time of receipt without one")
    stored: IsoMs | None = Field(None, description="set by the gateway, never believed")


class Xapi:
    """Any LMS that speaks xAPI."""

    name = "xapi"
    event_types = frozenset({COMPLETED, PASSED, FAILED})
    volatile = frozenset({"id", "stored", "authority", "version"})
    profile_path_vi = "Trang hồ sơ cá nhân trên LMS"
    profile_path_en = "The profile page of the LMS"
    wire_model: type[BaseModel] = XapiStatement

    def normalize(self, item: dict[str, object]) -> Completion:
        """One statement -> one Completion. Raises: PayloadInvalid with every bad field, Unsupported."""
        if not _is_ours(item):
            raise Unsupported(*self.peek(item))
        seen = wire.read(XapiStatement, item, lambda: self.peek(item)[0])
        account, identifier = _who(seen.actor)
        at_ms = seen.timestamp or seen.stored
        event_id = self.peek(item)[0]
        faults = [
            fault(path, code)
            for path, code, is_wrong in (
                ("$.id", "field.malformed", event_id is None),
                ("$.actor.account", "field.missing", account is None),
                ("$.timestamp", "field.missing", at_ms is None),
            )
            if is_wrong
        ]
        if event_id is None or account is None or at_ms is None:
            raise PayloadInvalid(faults, event_id)
        more = (seen.context and seen.context.extensions) or XapiExtensions()
        return Completion(
            vendor=self.name,
            event_id=event_id,
            completed_at_ms=at_ms,
            claim=_claim(seen.actor, more, account, identifier),
            course=_course(seen.object, more),
            result=_result(seen.verb.id, seen.result or XapiResult(), more),
        )

    def peek(self, item: dict[str, object]) -> tuple[str | None, int | None]:
        """The statement's UUID, or one made from its content; None for an id that is no UUID. Revision is 1."""
        stated = item.get("id")
        if stated is None:
            return str(uuid.uuid5(_NAMESPACE, _content(item))), 1
        text = stated.lower() if isinstance(stated, str) else ""
        return (text if _UUID.fullmatch(text) else None), 1


def verb_of(item: dict[str, object]) -> str | None:
    """The verb's id, of anything."""
    verb = item.get("verb")
    found = verb.get("id") if isinstance(verb, dict) else None
    return found.replace("https://", "http://", 1) if isinstance(found, str) else None


def voided_by(item: dict[str, object]) -> str | None:
    """The id of the statement that this one voids; None when it voids none."""
    about = item.get("object")
    if verb_of(item) != VOIDED or not isinstance(about, dict) or about.get("objectType") != "StatementRef":
        return None
    target = about.get("id")
    text = target.lower() if isinstance(target, str) else ""
    return text if _UUID.fullmatch(text) else None


def _is_ours(item: dict[str, object]) -> bool:
    """Whether it may be a completion of a course by one learner."""
    if verb_of(item) not in Xapi.event_types:
        return False
    actor, about = item.get("actor"), item.get("object")
    if isinstance(actor, dict) and ("member" in actor or actor.get("objectType") == "Group"):
        return False
    if not isinstance(about, dict):
        return True  # refused with its path
    if about.get("objectType", "Activity") != "Activity":
        return False
    definition = about.get("definition")
    kind = definition.get("type") if isinstance(definition, dict) else None
    return kind is None or (isinstance(kind, str) and ("\0" in kind or kind in COURSE_TYPES))


def _content(item: dict[str, object]) -> str:
    """What tells one completion from another, where the provider gave it no id: who, what, when, which run."""
    context = item.get("context")
    run = context.get("registration") if isinstance(context, dict) else None
    about = item.get("object")
    course = about.get("id") if isinstance(about, dict) else about
    at = item.get("timestamp") or item.get("stored")
    parts = [item.get("actor"), verb_of(item), course, run, at]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _who(actor: XapiActor) -> tuple[str | None, str | None]:
    """The LMS's id of the account, and the sector identifier where the account is one."""
    account = actor.account
    if account is not None and account.name is not None:
        if account.home_page == SECTOR:
            return _fitting(f"sector:{account.name}"), account.name
        return _fitting(
            account.name if account.home_page is None else f"{account.home_page}#{account.name}"
        ), None
    if actor.openid is not None:
        return _fitting(actor.openid), None
    if actor.mbox is not None:
        return _fitting(actor.mbox.lower()), None
    return (None if actor.mbox_sha1sum is None else _fitting(f"sha1:{actor.mbox_sha1sum.lower()}")), None


def _fitting(account: str) -> str | None:
    """As an id; a longer one by its digest."""
    if len(account) > MAX_ID_CHARS:
        account = "sha256:" + hashlib.sha256(account.encode()).hexdigest()
    return fields.usable_id(account)


def _claim(actor: XapiActor, more: XapiExtensions, account: str, identifier: str | None) -> Claim:
    born = readings.birth_date(more.birth_date)
    return Claim(
        lms_user_id=account,
        identifier=more.identifier or identifier,
        full_name=more.full_name or actor.name,
        birth_date=born,
        birth_date_sent=None if born else more.birth_date,
        unit_code=more.unit_code,
        role=readings.stated(more.role, ROLES),
    )


def _course(course: XapiObject, more: XapiExtensions) -> Course:
    named = (course.definition and course.definition.name) or XapiName()
    title = named.vi or named.vi_vn or named.en or named.en_us
    return Course(
        course_id=course.id,
        course_code=more.course_code,
        module_hint=readings.module_hint(more.course_code, title),
        title=title,
        school_year=readings.school_year(more.school_year),
        periods=readings.periods(more.periods),
        class_name=more.class_name,
        organiser=more.organiser,
    )


def _result(verb: str | None, result: XapiResult, more: XapiExtensions) -> Result:
    score, top = _score(result.score or XapiScore())
    return Result(
        passed=_passed(verb, result),
        score_hundredths=readings.score_hundredths(score, top),
        score_sent=score,
        score_max_sent=top,
        certificate_no=more.certificate_no,
    )


def _passed(verb: str | None, result: XapiResult) -> bool | None:
    """What verb and `success` state together; nothing where they contradict, or the course is not completed."""
    success, completion = _flag(result.success), _flag(result.completion)
    word = (verb or "").rpartition("/")[2]
    stated = {"passed": True, "failed": False}.get(word)
    if word == "completed":
        return success if completion is not False else None
    return None if success is not None and success is not stated else stated


def _flag(value: object) -> bool | None:
    """A Boolean, or Open edX's 0 and 1. Text states nothing."""
    if isinstance(value, bool):
        return value
    return bool(value) if type(value) is int and value in (0, 1) else None


def _score(score: XapiScore) -> tuple[str | None, str | None]:
    """A score and its scale: raw of max where the scale begins at 0, else scaled of 1."""
    if score.raw is not None and score.max is not None and (score.min is None or _is_zero(score.min)):
        return score.raw, score.max
    if score.scaled is not None:
        return score.scaled, "1"
    return score.raw, score.max if score.min is None else None


def _is_zero(text: str) -> bool:
    return re.fullmatch(r"-?0+(?:[.,]0+)?", text) is not None


CONNECTOR: Connector = Xapi()
