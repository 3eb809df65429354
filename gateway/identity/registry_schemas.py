"""contracts/registry/ as documents: JSON Schemas of what crosses the border, and the OpenAPI description."""

from gateway.identity.registry import CHANGES_PATH, LOOKUP_PATH, SEARCH_PATH
from gateway.identity.registry_contract import (
    ChangesAnswer,
    LookupAnswers,
    LookupRequest,
    SearchAnswer,
    SearchRequest,
)
from gateway.outbound.described import Document, Operation, json_schema, openapi

REFUSALS = {
    400: "Not JSON, or not the envelope.",
    401: "The token is unknown or has expired.",
    403: "This client may not ask.",
    413: "More than 100 identifiers.",
    429: "Too many calls; Retry-After says when.",
    503: "Not in service; Retry-After may say until when.",
}
OPERATIONS = (
    Operation(
        "POST",
        LOOKUP_PATH,
        "The staff files that carry given identifiers.",
        LookupAnswers,
        LookupRequest,
        refusals=REFUSALS,
    ),
    Operation(
        "POST",
        SEARCH_PATH,
        "The staff files with a given full name and birth date.",
        SearchAnswer,
        SearchRequest,
        refusals=REFUSALS,
    ),
    Operation(
        "GET",
        CHANGES_PATH,
        "The staff files that changed after a cursor, oldest first.",
        ChangesAnswer,
        query={
            "since": {"type": "string", "default": ""},
            "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1000},
        },
        refusals={status: says for status, says in REFUSALS.items() if status != 413},
    ),
)


def schemas() -> dict[str, Document]:
    """File name under contracts/registry/ -> document."""
    return {
        "openapi.json": openapi(
            "Sector database, staff files (as assumed by the gateway)",
            "0.1.0",
            "Every element is an assumption: see README.md beside this file.",
            OPERATIONS,
        ),
        "schemas/lookup_request.json": json_schema(LookupRequest),
        "schemas/lookup_answers.json": json_schema(LookupAnswers),
        "schemas/search_request.json": json_schema(SearchRequest),
        "schemas/search_answer.json": json_schema(SearchAnswer),
        "schemas/changes_answer.json": json_schema(ChangesAnswer),
    }
