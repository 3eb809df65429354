"""contracts/temis/ as documents: JSON Schemas of what crosses the border, and the OpenAPI description."""

from gateway.outbound.described import Document, Operation, json_schema, openapi
from gateway.temis.client import BATCH_PATH, QUERY_PATH
from gateway.temis.contract import BatchAnswer, BatchRequest, QueryAnswer, QueryRequest

REFUSALS = {
    400: "Not JSON, or not the envelope. Nothing is applied.",
    401: "The token is unknown or has expired. Nothing is applied.",
    403: "This client may not write. Nothing is applied.",
    413: "More than 200 items, or over 1 MB. Nothing is applied.",
    422: "The envelope is read and refused as a whole. Nothing is applied.",
    429: "Too many calls; Retry-After says when. Nothing is applied.",
    503: "Not in service; Retry-After may say until when. Nothing is applied.",
}
OPERATIONS = (
    Operation(
        "POST",
        BATCH_PATH,
        "Create, replace or withdraw BDTX records, each with its own answer.",
        BatchAnswer,
        BatchRequest,
        refusals=REFUSALS,
    ),
    Operation(
        "POST",
        QUERY_PATH,
        "Read BDTX records back by their natural keys.",
        QueryAnswer,
        QueryRequest,
        refusals=REFUSALS,
    ),
)


def schemas() -> dict[str, Document]:
    """File name under contracts/temis/ -> document."""
    return {
        "openapi.json": openapi(
            "TEMIS, BDTX records (as assumed by the gateway)",
            "0.1.0",
            "Every element is an assumption: see README.md beside this file.",
            OPERATIONS,
        ),
        "schemas/batch_request.json": json_schema(BatchRequest),
        "schemas/batch_answer.json": json_schema(BatchAnswer),
        "schemas/query_request.json": json_schema(QueryRequest),
        "schemas/query_answer.json": json_schema(QueryAnswer),
    }
