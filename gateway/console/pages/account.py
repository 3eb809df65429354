"""The own account: who one is here, what the role may do, password and second factor."""

from dataclasses import dataclass

from gateway.console.page import HOME, Page, Visit
from gateway.model.roles import ACTS, ROLES, RoleName, may


@dataclass(frozen=True, slots=True)
class Account:
    """What the account says of its owner."""

    login: str
    name: str
    role: str
    unit: str | None
    has_second_factor: bool
    signed_in_at_ms: int
    ends_at_ms: int
    acts: tuple[str, ...]  # what the role may do, in the reader's language


async def account(visit: Visit) -> Account:
    assert visit.signed is not None
    role = RoleName(visit.user.role)
    return Account(
        login=visit.user.login,
        name=visit.user.name,
        role=ROLES[role].vi if visit.lang == "vi" else ROLES[role].en,
        unit=visit.unit.name if visit.unit else None,
        has_second_factor=visit.user.totp_secret is not None,
        signed_in_at_ms=visit.signed.session.created_at_ms,
        ends_at_ms=visit.signed.session.ends_at_ms,
        acts=tuple(act.vi if visit.lang == "vi" else act.en for code, act in ACTS.items() if may(role, code)),
    )


PAGES = (Page(HOME + "/account", account, name="account"),)
