"""Contracts of the systems we call, written from the models that hold them: models -> JSON Schema, OpenAPI 3.1.

What is written here ends in contracts/; a test there fails when file and model differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REF = "#/components/schemas/{model}"
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of a contract. `refusals` are statuses with their meaning, beside 200."""

    method: str
    path: str
    summary: str
    answer: type[BaseModel]
    request: type[BaseModel] | None = None
    query: dict[str, Document] | None = None  # name -> schema
    refusals: dict[int, str] | None = None


def json_schema(model: type[BaseModel]) -> Document:
    """A document of its own, so that any validator can use it alone."""
    return {"$schema": DIALECT, **model.model_json_schema()}


def openapi(title: str, version: str, description: str, operations: Sequence[Operation]) -> Document:
    """The whole contract as an OpenAPI 3.1 document. Source: https://spec.openapis.org/oas/v3.1.0"""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = []
    for operation in operations:
        models += [(m, "validation") for m in (operation.request, operation.answer) if m is not None]
    _, defined = models_json_schema(list(dict.fromkeys(models)), ref_template=REF)
    paths: Document = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    oauth = {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": description},
        "security": [{"client": []}],
        "paths": paths,
        "components": {
            "schemas": defined["$defs"],
            "securitySchemes": {"client": {"type": "oauth2", "flows": oauth}},
        },
    }


def _described(operation: Operation) -> Document:
    described: Document = {
        "summary": operation.summary,
        "operationId": operation.path.strip("/").replace("/", "_").replace(":", "_"),
        "responses": {
            "200": {"description": "Answered.", "content": _json(operation.answer)},
            **{str(status): {"description": says} for status, says in (operation.refusals or {}).items()},
        },
    }
    if operation.request is not None:
        described["requestBody"] = {"required": True, "content": _json(operation.request)}
    if operation.query:
        described["parameters"] = [
            {"name": name, "in": "query", "schema": schema} for name, schema in operation.query.items()
        ]
    return described


def _json(model: type[BaseModel]) -> Document:
    return {"application/json": {"schema": {"$ref": REF.format(model=model.__name__)}}}
