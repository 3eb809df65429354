"""Routes and answer models -> the OpenAPI 3.1 description and the JSON Schemas of contracts/gateway/.

Source: https://spec.openapis.org/oas/v3.1.0
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from gateway.api import models
from gateway.api.problems import CONTENT_TYPE, STATUS
from gateway.api.routes import Route, discover
from gateway.outbound.described import DIALECT, REF, Document

VERSION = "1.0.0"
NDJSON = "application/x-ndjson"
ABOUT = """\
What vendors send to the integration gateway, and what those who run it watch. README.md beside this file says
how to sign, what each receipt means and what to do about each problem; the items themselves are described in
contracts/vendors/. Every request may carry `traceparent` (W3C Trace Context); every answer carries
`X-Correlation-Id`. Texts come in Vietnamese or English, by `Accept-Language`.
"""
HEADERS = {
    "webhook-id": "Id of the message: 1 to 256 printable ASCII characters without a dot.",
    "webhook-timestamp": "Unix seconds of the signature; at most 300 s off the server's time.",
}
DOCUMENTS: Mapping[str, type[BaseModel]] = {
    "receipts": models.Receipts,
    "withdrawal_request": models.NamedEvent,
    "withdrawal": models.Withdrawal,
    "problem": models.Problem,
    "readiness": models.Readiness,
    "balance": models.Balance,
}


def documents() -> dict[str, Document]:
    """Path below contracts/gateway/ -> document."""
    schemas = {f"schemas/{name}.json": _alone(model) for name, model in DOCUMENTS.items()}
    return {"openapi.json": openapi(discover()), **schemas}


def _alone(model: type[BaseModel]) -> Document:
    return {"$schema": DIALECT, **model.model_json_schema(mode="serialization")}


def openapi(routes: Iterable[Route]) -> Document:
    """The whole API as one document."""
    routes = list(routes)
    used: set[type[BaseModel]] = {models.Problem}
    used.update(model for route in routes for _, model in route.answers.values() if model is not None)
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (model, "serialization") for model in sorted(used, key=lambda model: model.__name__)
    ]
    _, defined = models_json_schema(modes, ref_template=REF)
    paths: Document = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    signature = {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks: `v1,` and the base64 HMAC-SHA-256 of `{id}.{timestamp}.{body}`.",
    }
    basic = {
        "type": "http",
        "scheme": "basic",
        "description": "The source's name and one of its secrets; beside it X-Experience-API-Version: 1.0.3.",
    }
    token = {
        "type": "http",
        "scheme": "bearer",
        "description": "A short-lived token from `POST /v1/vendors/{vendor}/tokens`.",
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "LMS-to-TEMIS integration gateway", "version": VERSION, "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": defined["$defs"],
            "securitySchemes": {"signature": signature, "token": token, "basic": basic},
        },
    }


_SECURITY: Mapping[str, Callable[[Route], bool]] = {
    "signature": lambda route: route.is_signed,
    "token": lambda route: route.needs_token,
    "basic": lambda route: route.has_basic,
}


def _operation(route: Route) -> Document:
    described: Document = {
        "operationId": route.name,
        "summary": route.summary,
        "security": [{name: []} for name, is_so in _SECURITY.items() if is_so(route)],
        "responses": {
            **{str(status): _answer(*answer) for status, answer in route.answers.items()},
            **_problems(route.problems),
        },
    }
    parameters = [_parameter("path", name, about) for name, about in route.parameters.items()]
    if route.is_signed:
        parameters += [_parameter("header", name, about) for name, about in HEADERS.items()]
    parameters += [
        {**_parameter("query", name, about), "required": False} for name, about in route.query.items()
    ]
    if parameters:
        described["parameters"] = parameters
    if route.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": route.body}},
        }
        if route.lines is not None:
            described["requestBody"]["content"][NDJSON] = {"schema": route.lines}
    return described


def _answer(meaning: str, model: type[BaseModel] | None) -> Document:
    if model is None:
        return {"description": meaning, "content": {"text/plain": {"schema": {"type": "string"}}}}
    media = NDJSON if model is models.StreamLine else "application/json"
    return {"description": meaning, "content": {media: {"schema": _ref(model)}}}


def _problems(codes: Iterable[str]) -> Document:
    """One response for each status, which names its codes."""
    ordered = sorted(codes, key=lambda code: (STATUS[code], code))
    answers: Document = {}
    for status, group in groupby(ordered, key=lambda code: STATUS[code]):
        names = ", ".join(f"`{code}`" for code in group)
        answer: Document = {
            "description": f"Problem: {names}.",
            "content": {CONTENT_TYPE: {"schema": _ref(models.Problem)}},
        }
        if status == 503:
            answer["headers"] = {
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}
            }
        answers[str(status)] = answer
    return answers


def _parameter(place: str, name: str, about: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": True, "description": about, "schema": {"type": "string"}}


def _ref(model: type[BaseModel]) -> Document:
    return {"$ref": REF.format(model=model.__name__)}
