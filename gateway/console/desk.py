"""One visit at the cases: how far this viewer sees, and reasons in words with the owner by name."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.console.page import Visit
from gateway.model.reasons import FILLERS, OWNERS, REASONS, STATES, Owner, explain, owner_of, profile
from gateway.stages.cases.sight import Desk, Sight
from gateway.stages.owners import Naming

MANY = 20  # people with one fault: then it is rather the whole class's, and its sender's to mend


@dataclass(frozen=True, slots=True)
class Told:
    """A reason for people: what is wrong, the next step, who takes it, and how to reach them."""

    what: str
    action: str
    owner: str
    contact: str | None
    severity: str


def desk_of(visit: Visit) -> Desk:
    parts = visit.parts
    return Desk(parts.db, parts.clock, parts.vault, parts.blind, parts.snapshots, parts.accounts)


async def sight_of(visit: Visit) -> Sight:
    return Sight(await visit.units(), visit.viewer, visit.today())


def told(
    visit: Visit,
    sight: Sight,
    code: str,
    *,
    school: str | None = None,
    vendor: str = "",
    people: int = 1,
    detail: Mapping[str, object] | None = None,
) -> Told:
    """The words of a reason code; one that is none is the operators' to look at."""
    lang, naming = visit.lang, Naming(sight.units, sight.today)
    if code not in REASONS:
        return Told(STATES["dead"][lang], visit.t("case.operators"), OWNERS[Owner.GATEWAY][lang], None, "error")
    fill = dict(detail or {})
    owner = naming.named(owner_of(code, side=fill.get("side"), many=people >= MANY), school)
    fill |= {"profile": profile(vendor, lang) if vendor else FILLERS["profile"][lang]} | owner.fill()
    what, action = explain(code, lang, **fill)
    return Told(what, action, owner.label(lang), owner.contact, REASONS[code].severity.value)
