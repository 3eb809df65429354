"""Passwords of people: Argon2id hashes, a policy without ceremony, one-time passwords to hand out.

A password is refused for being short or guessable, never for lacking a kind of letter. The defaults that other
systems once gave out are refused in every spelling. Sources: RFC 9106; NIST SP 800-63B, section 3.1.1.2.
"""

import secrets
import tomllib
from pathlib import Path
from typing import Any
from unicodedata import combining, normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_CHARS = 10
MAX_CHARS = 200  # hashing a novel is work that anybody could ask for
ONE_TIME_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # none is mistaken for another when read aloud or copied
_GROUPS, _GROUP = 4, 4  # 31^16: 79 bits
_MIN_DIFFERENT = 5
_RUN = 5  # so many keys in a row, or more, count as one
_ROWS = ("0123456789", "1234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm")

_FILE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("passwords.toml").read_text("utf-8"))
_COMMON: frozenset[str] = frozenset(_FILE["common"])
_WORDS: frozenset[str] = frozenset(_FILE["words"])

# 46 MiB and one pass: the OWASP cheat sheet's first choice; some 40 ms, and a storm of sign-ins fits in memory.
_HASHER = PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)
_NOBODY = _HASHER.hash(secrets.token_urlsafe())


def hash_password(password: str) -> str:
    """An Argon2id hash with its parameters and salt. Some tens of milliseconds: call it off the event loop."""
    return _HASHER.hash(normalize("NFC", password))


def is_password(hashed: str | None, password: str) -> bool:
    """Whether it is the password. Without a hash (no such user) it takes as long and is False."""
    try:
        matches = _HASHER.verify(hashed or _NOBODY, normalize("NFC", password)[: MAX_CHARS + 1])
    except (VerificationError, InvalidHashError):
        return False
    return matches and hashed is not None


def is_outdated(hashed: str) -> bool:
    """Whether the hash was made with weaker parameters than today's: hash anew at the next sign-in."""
    return _HASHER.check_needs_rehash(hashed)


def one_time_password() -> str:
    """A random password to be handed over once: four groups of four letters and digits."""
    groups = ["".join(secrets.choice(ONE_TIME_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS)]
    return "-".join(groups)


def weakness(password: str, *, login: str = "", name: str = "") -> str | None:
    """Why it is refused: `short`, `long`, `common`, `monotonous`, `personal`; None when it is good."""
    text = normalize("NFC", password)
    if len(text) < MIN_CHARS:
        return "common" if _is_common(text) else "short"
    if len(text) > MAX_CHARS:
        return "long"
    if len(set(text.casefold())) < _MIN_DIFFERENT or len(_without_runs(text)) < MIN_CHARS // 2:
        return "monotonous"
    if _is_common(text):
        return "common"
    bare, own = _bare(text), [_bare(login), *(_bare(word) for word in name.split())]
    rest = bare
    for word in sorted(filter(None, own), key=len, reverse=True):
        rest = rest.replace(word, "") if len(word) > 1 else rest
    return "personal" if rest != bare and len(rest) < MIN_CHARS // 2 else None


def _is_common(text: str) -> bool:
    """A known default, or nothing but well-known words between digits and signs: Viettel@2023, Abc@12345."""
    bare = _bare(text)
    if bare in _COMMON:
        return True
    letters = "".join(sign for sign in bare if sign.isalpha())
    return letters != "" and _made_of_words(letters)


def _made_of_words(letters: str) -> bool:
    reachable = [True] + [False] * len(letters)
    for end in range(1, len(letters) + 1):
        reachable[end] = any(
            reachable[end - len(word)] and letters.startswith(word, end - len(word))
            for word in _WORDS
            if len(word) <= end
        )
    return reachable[-1]


def _bare(text: str) -> str:
    """Letters and digits without marks or case: the spellings of one guess."""
    plain = "".join(sign for sign in normalize("NFKD", text.casefold()) if not combining(sign))
    return "".join(sign for sign in plain.replace("đ", "d") if sign.isalnum())


def _without_runs(text: str) -> str:
    """Keys in a row of the keyboard or alphabet, and repeated ones, as a single sign."""
    found, kept = text.casefold(), ""
    at = 0
    while at < len(found):
        end = at + 1
        while end < len(found) and (found[at : end + 1] == found[at] * (end + 1 - at)):
            end += 1
        for row in (*_ROWS, *(row[::-1] for row in _ROWS)):
            while end < len(found) and found[at : end + 1] in row:
                end += 1
        kept += found[at] if end - at >= _RUN else found[at:end]
        at = end
    return kept


__all__ = [
    "MAX_CHARS",
    "MIN_CHARS",
    "ONE_TIME_ALPHABET",
    "hash_password",
    "is_outdated",
    "is_password",
    "one_time_password",
    "weakness",
]
