"""One stored verification of a case beside today's, asked live: what changed in file, claim and findings."""

from dataclasses import dataclass, field

from gateway.bdtx.scope import OnFile
from gateway.console.desk import desk_of, sight_of
from gateway.console.page import HOME, Page, Visit
from gateway.identity.difference import Parts, differences
from gateway.identity.masking import mask
from gateway.model.person import Snapshot
from gateway.model.roles import ELSEWHERE
from gateway.stages.cases.laid import named, written
from gateway.stages.cases.reading import read_case
from gateway.stages.cases.sight import Sight
from gateway.stages.then_and_now import Look

PATH = HOME + "/cases/{id}/then/{verification}"
_FIELDS = ("identifier", "full_name", "birth_date", "unit", "role", "status")


@dataclass(frozen=True, slots=True)
class Judged:
    """One judgement: when, by which policy, and what it said."""

    at_ms: int
    verified: bool
    said: str
    policy: str


@dataclass(frozen=True, slots=True)
class Filed:
    """One field of the file, then and now."""

    key: str
    label: str
    then: Parts = field(repr=False)
    now: Parts = field(repr=False)
    changed: bool


@dataclass(frozen=True, slots=True)
class Then:
    """The page. `now` is None while the sector database is silent; fields only of a file of the viewer's."""

    id: int
    name: str | None = field(repr=False)
    then: Judged
    now: Judged | None
    claim_changed: bool
    gone: tuple[str, ...]
    new: tuple[str, ...]
    fields: tuple[Filed, ...]
    elsewhere: str | None


async def then(visit: Visit) -> Then:
    sight, id_ = await sight_of(visit), visit.number("id", 0) or 0
    found = await read_case(desk_of(visit), sight, id_)
    wanted = visit.number("verification", 0) or 0
    if found is None or wanted not in {one.id for one in found.judgements}:
        visit.out_of_scope(f"delivery {id_}")
    visit.require("case.values_on_file")
    compared = await visit.parts.then_and_now.compare(wanted) if visit.parts.then_and_now else None
    if compared is None or found.on_file is OnFile.WITHHELD:
        visit.out_of_scope(f"delivery {id_}")
    files = [look.on_file for look in (compared.then, compared.now) if look and look.on_file]
    is_mine = found.on_file is not OnFile.ELSEWHERE and all(sight.covers(file.unit_code) for file in files)
    now = compared.now
    # Of a stranger not even which findings came and went.
    gone, new = (compared.gone, compared.new) if is_mine else ((), ())
    return Then(
        id=id_,
        name=found.sent.claim.full_name if found.sent else None,
        then=_judged(visit, compared.then),
        now=_judged(visit, now) if now else None,
        claim_changed=bool(compared.claim_changes),
        gone=_words(visit, gone),
        new=_words(visit, new),
        fields=_fields(visit, sight, compared.then.on_file, now.on_file if now else None) if is_mine else (),
        elsewhere=None if is_mine else ELSEWHERE[visit.lang],
    )


def _judged(visit: Visit, look: Look) -> Judged:
    reason = look.verdict.reason
    if reason is None:
        said = visit.t("case.event.verified")
    else:
        said = visit.t("case.event.held", why=visit.reason(reason) or "")
    return Judged(look.at_ms, look.verdict.verified, said, look.verdict.policy_version)


def _words(visit: Visit, codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(said for code in codes if (said := visit.reason(code)))


def _fields(visit: Visit, sight: Sight, then: Snapshot | None, now: Snapshot | None) -> tuple[Filed, ...]:
    before, after = _texts(sight, then), _texts(sight, now)
    rows = []
    for key in _FIELDS:
        left, right = differences(before[key], after[key])
        if left or right:
            changed = now is not None and before[key] != after[key]
            rows.append(Filed(key, visit.t(f"case.field.{key}"), left, right, changed))
    return tuple(rows)


def _texts(sight: Sight, file: Snapshot | None) -> dict[str, str | None]:
    if file is None:
        return dict.fromkeys(_FIELDS)
    return {
        "identifier": mask(file.sector_id),
        "full_name": file.full_name,
        "birth_date": written(file.birth_date),
        "unit": named(sight, file.unit_code, file.unit_name),
        "role": file.role.value if file.role else None,
        "status": file.status,
    }


PAGES = (Page(PATH, then, name="then", may="case.values_on_file"),)
