"""JSON Schemas of what each vendor sends, generated from the wire models; a test fails when they drift."""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from gateway.connectors import discover


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles pydantic makes up from field names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schemas() -> dict[str, dict[str, Any]]:
    """Path below contracts/ ("vendors/viettel/schema.json") -> JSON Schema 2020-12, one per connector."""
    return {
        f"vendors/{name}/schema.json": {
            "$schema": GenerateJsonSchema.schema_dialect,
            **connector.wire_model.model_json_schema(schema_generator=_Untitled),
        }
        for name, connector in discover().items()
    }


def write(contracts: Path) -> None:
    """Write every schema below the folder `contracts`, replacing what is there."""
    for path, schema in schemas().items():
        target = contracts / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(schema, ensure_ascii=False, indent=2) + "\n", "utf-8")
