"""What a case is found by, as blind indexes: a value typed into a search and one sent by an LMS meet here."""

from typing import NamedTuple

from gateway.identity.identifier import read
from gateway.identity.names import bare
from gateway.model.completion import Completion
from gateway.security.blind import BlindIndex

NAME, IDENTIFIER, CERTIFICATE = "case.name", "case.identifier", "case.certificate"


class Keys(NamedTuple):
    """Blind indexes of one completion; None where nothing was sent."""

    name: bytes | None
    identifier: bytes | None
    certificate: bytes | None


NO_KEYS = Keys(None, None, None)


def keys_of(blind: BlindIndex, completion: Completion) -> Keys:
    """The keys of what was sent. The name is folded: marks, case and spaces do not matter."""

    def index(kind: str, text: str) -> bytes | None:
        return blind.index(kind, text) if text else None

    return Keys(
        index(NAME, bare(completion.claim.full_name or "")),
        index(IDENTIFIER, identifier_text(completion.claim.identifier)),
        index(CERTIFICATE, certificate_text(completion.result.certificate_no)),
    )


def name_keys(blind: BlindIndex, typed: str) -> tuple[bytes, ...]:
    """The index of a typed name under every key; none for an empty one."""
    return blind.all(NAME, folded) if (folded := bare(typed)) else ()


def identifier_keys(blind: BlindIndex, typed: str) -> tuple[bytes, ...]:
    """The indexes under which an identifier may stand, in whichever form it is typed."""
    reading = read(typed)
    texts = dict.fromkeys((*(key.value for key in reading.keys), reading.digits))
    return tuple(index for text in texts if text for index in blind.all(IDENTIFIER, text))


def certificate_keys(blind: BlindIndex, typed: str) -> tuple[bytes, ...]:
    """The index of a typed certificate number under every key."""
    return blind.all(CERTIFICATE, folded) if (folded := certificate_text(typed)) else ()


def identifier_text(raw: str | None) -> str:
    """One text for all forms of an identifier that ask the same question; empty when there are no digits."""
    reading = read(raw)
    return reading.keys[0].value if reading.keys else reading.digits


def certificate_text(raw: str | None) -> str:
    """Spaces and case do not tell two certificates apart."""
    return "".join((raw or "").split()).casefold()
