"""Says in which other form the identifier came, now that it has led to one file. Never holds by itself."""

from gateway.identity.identifier import Form
from gateway.identity.pair import Pair, Rule
from gateway.identity.policy import Policy
from gateway.model.person import IdentifierType
from gateway.model.verdict import Finding

_CODES = {
    (Form.ZERO11, IdentifierType.SECTOR): "identifier.leading_zero",
    (Form.NINE, IdentifierType.SECTOR): "identifier.lost_zero",
    (Form.NINE, IdentifierType.OLD_CARD): "identifier.old_card",
    (Form.TWELVE, IdentifierType.PERSONAL): "identifier.personal_number",
}


def identifier_form(pair: Pair, policy: Policy) -> tuple[Finding, ...]:
    code = _CODES.get((pair.form, pair.asked_by))
    return (policy.finding(code),) if code else ()


RULE: Rule = identifier_form
ORDER = 10
