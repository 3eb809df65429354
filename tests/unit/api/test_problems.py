"""Errors become problems: each code has its status and its texts, and no error's own words get out."""

import json

import pytest
from aiohttp import web
from sqlalchemy.exc import IntegrityError, OperationalError

from gateway.api.mapping import refusal_of
from gateway.api.problems import STATUS, TEXTS, Refusal
from gateway.connectors.faults import TEXTS as FAULTS
from gateway.model import errors
from gateway.model.errors import FieldError, GatewayError
from gateway.model.texts import LANGS
from gateway.security import signature_faults
from tests.builders import NOON

SECRET = "0310000000199"


def told(refusal: Refusal, lang: str = "en") -> dict:
    return json.loads(refusal.answer(lang, "trace").body)


@pytest.mark.parametrize("code", STATUS)
def test_every_code_has_its_texts_in_both_languages(code):
    """A title and a way out for the reader, said differently in Vietnamese and English."""
    for lang in LANGS:
        document = told(Refusal(code, fill={"max_items": 500}), lang)
        assert document["title"] and document["detail"]
        assert document["title"] in {TEXTS.get(f"{code}.title", lang)}
    assert told(Refusal(code), "vi")["title"] != told(Refusal(code), "en")["title"]


def test_texts_and_codes_are_the_same_set():
    """A text that no code uses, or placeholders that differ between languages, are mistakes."""
    assert TEXTS.keys("vi") == TEXTS.keys("en")
    for key in TEXTS.keys("en"):
        code = key.rpartition(".")[0]
        assert code in STATUS, key
        assert TEXTS.placeholders(key, "vi") == TEXTS.placeholders(key, "en"), key
    assert {code for code in FAULTS if code.startswith("body.")} <= STATUS.keys()


def test_every_way_of_signing_wrongly_has_its_own_words():
    """The variants that security tells apart are told apart to the reader too."""
    for code, variants in (
        ("signature.wrong_recipe", signature_faults.RECIPES),
        ("signature.body_changed", signature_faults.CHANGES),
        ("signature.clock_off", ("ahead", "behind")),
        ("signature.bad_timestamp", ("milliseconds",)),
    ):
        details = {told(Refusal(code, variant=variant))["detail"] for variant in variants}
        assert len(details) == len(variants)
        assert told(Refusal(code))["detail"] not in details


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.PayloadInvalid([FieldError("$", "body.not_json", SECRET)]), 400, "body.not_json"),
        (errors.PayloadInvalid([FieldError("$", "body.too_many_items", "")]), 413, "body.too_many_items"),
        (errors.SignatureRefused("signature.no_match", SECRET), 401, "signature.no_match"),
        (errors.NotFound(SECRET), 404, "not_found"),
        (errors.Refused(SECRET, "vendor.exists"), 409, "refused"),
        (errors.Overloaded(SECRET, retry_after_s=9), 503, "overloaded"),
        (errors.StorageBusy(SECRET), 503, "storage.busy"),
        (errors.KeyMissing(SECRET), 503, "storage.unavailable"),
        (errors.SealBroken(SECRET), 503, "storage.unavailable"),
        (OperationalError(SECRET, {}, Exception(SECRET)), 503, "storage.unavailable"),
        (IntegrityError(SECRET, {}, Exception(SECRET)), 500, "internal.error"),
        (errors.ConfigError(SECRET), 500, "internal.error"),
        (errors.Unanswered(SECRET), 500, "internal.error"),
        (RuntimeError(SECRET), 500, "internal.error"),
        (web.HTTPNotFound(text=SECRET), 404, "route.not_found"),
        (web.HTTPMethodNotAllowed("PUT", ["POST"]), 405, "method.not_allowed"),
        (web.HTTPRequestEntityTooLarge(1), 413, "body.too_large"),
        (web.HTTPExpectationFailed(text=SECRET), 417, "request.refused"),
        (web.HTTPServiceUnavailable(text=SECRET), 500, "internal.error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_error_becomes_its_problem_and_keeps_its_words(error, status, code):
    """Status and code by the tree of model/errors.py; what the error says itself stays inside."""
    refusal = refusal_of(error, now_ms=NOON, max_items=500)
    assert (refusal.status, refusal.code) == (status, code)
    answer = refusal.answer("vi", "trace")
    assert answer.status == status
    assert SECRET not in answer.text
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_every_error_of_the_tree_is_mapped():
    """A new error class gets at least the general answer; none makes the edge itself fail."""
    for name, cls in vars(errors).items():
        if isinstance(cls, type) and issubclass(cls, GatewayError) and cls is not errors.SignatureRefused:
            error = cls([FieldError("$", "body.empty", "")]) if cls is errors.PayloadInvalid else cls(name)
            assert refusal_of(error, now_ms=NOON, max_items=500).code in STATUS


def test_a_401_names_the_fault_in_the_readers_language():
    """Figures of the refusal are in the text, and the server's time beside it."""
    error = errors.SignatureRefused(
        "signature.clock_off", "-", "ahead", off_s=412, server_time="2026-03-09T05:00:00Z", tolerance_s=300
    )
    document = told(refusal_of(error, now_ms=NOON, max_items=500), "vi")
    assert "nhanh hơn giờ máy chủ 2026-03-09T05:00:00Z là 412 giây" in document["detail"]
    assert document["server_time"] == "2026-03-09T05:00:00Z"
