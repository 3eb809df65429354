"""Every connector keeps what its folder contracts/vendors/<name>/ promises; a new vendor needs no edit here."""

import json
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from gateway.connectors import Connector, Unsupported, discover
from gateway.connectors.schemas import schemas
from gateway.connectors.slicing import slice_body
from gateway.model.errors import PayloadInvalid
from gateway.model.value import Value

CONTRACTS = Path(__file__).parents[2] / "contracts"
CONNECTORS = discover()
ANYTHING = (None, True, 7, -0.5, "", "\t", [], {}, [[]])


def files(pattern: str) -> list[object]:
    """(connector, file) for each match below contracts/vendors/<name>/."""
    return [
        pytest.param(connector, path, id=f"{name}-{path.name.split('.')[0]}")
        for name, connector in CONNECTORS.items()
        for path in sorted((CONTRACTS / "vendors" / name).glob(pattern))
    ]


def told(value: object) -> object:
    """A value with every field, also those that are not stated."""
    if isinstance(value, Value):
        return {name: told(getattr(value, name)) for name in value.__struct_fields__}
    return value.isoformat() if isinstance(value, date) else value


def outcome(connector: Connector, body: bytes) -> dict[str, object]:
    """What becomes of a body of one item, in the form of the .out.json files."""
    [piece] = slice_body(body)
    try:
        if piece.item is None or piece.fault:
            event_id = connector.peek(piece.item)[0] if piece.item else None
            raise PayloadInvalid([piece.fault], event_id)
        return {"completion": told(connector.normalize(piece.item))}
    except PayloadInvalid as refused:
        errors = [{"path": error.path, "code": error.code} for error in refused.errors]
        return {"invalid": {"event_id": refused.event_id, "errors": errors}}
    except Unsupported as other:
        return {"unsupported": {"event_id": other.event_id, "revision": other.revision}}


@pytest.mark.parametrize(("connector", "path"), files("golden/*.in.json"))
def test_a_golden_item_becomes_what_its_pair_says(connector, path):
    """The pair beside each vendor's documentation is the whole truth about that item."""
    expected = json.loads(path.with_name(path.name.replace(".in.", ".out.")).read_text("utf-8"))
    assert outcome(connector, path.read_bytes()) == expected


@pytest.mark.parametrize(("connector", "path"), files("samples/*.json"))
def test_a_sample_is_taken_and_fits_the_schema(connector, path):
    """What we show vendors as an example is valid in every respect."""
    schema = json.loads((CONTRACTS / "vendors" / connector.name / "schema.json").read_text("utf-8"))
    for piece in slice_body(path.read_bytes()):
        assert piece.fault is None
        jsonschema.validate(piece.item, schema)
        seen = connector.normalize(piece.item)
        assert (seen.event_id, seen.revision) == connector.peek(piece.item)
        assert None not in (
            seen.claim.identifier, seen.claim.full_name, seen.claim.birth_date, seen.claim.unit_code,
            seen.claim.role, seen.course.module_hint, seen.course.school_year, seen.course.periods,
            seen.result.passed, seen.result.score_hundredths,
        )  # fmt: skip


@pytest.mark.parametrize("name", CONNECTORS)
def test_a_vendor_has_its_contract(name):
    """A connector without samples, twelve golden pairs and a page that names each field is not finished."""
    home = CONTRACTS / "vendors" / name
    page = (home / "README.md").read_text("utf-8")
    schema = schemas()[f"vendors/{name}/schema.json"]
    fields = {field for part in [schema, *schema["$defs"].values()] for field in part["properties"]}
    assert {field for field in fields if f"`{field}`" not in page} == set()
    assert "ASSUMED" in page
    assert len(list(home.glob("golden/*.in.json"))) == len(list(home.glob("golden/*.out.json"))) >= 12
    assert list(home.glob("samples/*.json"))


@pytest.mark.parametrize("path", schemas())
def test_the_schema_files_are_those_of_the_code(path):
    """A wire model changed without `gateway.connectors.schemas.write` would leave vendors an old schema."""
    assert json.loads((CONTRACTS / path).read_text("utf-8")) == schemas()[path]


@pytest.mark.parametrize("connector", CONNECTORS.values(), ids=CONNECTORS)
def test_nul_is_refused_in_every_text_of_a_sample(connector):
    """PostgreSQL text refuses NUL, so no connector may let one through, whichever field it sits in."""
    [piece] = slice_body((CONTRACTS / "vendors" / connector.name / "samples/completion.json").read_bytes())
    for path in text_paths(piece.item):
        with pytest.raises((PayloadInvalid, Unsupported)) as refused:
            connector.normalize(with_nul(piece.item, path))
        if isinstance(refused.value, PayloadInvalid):
            assert [error.path for error in refused.value.errors] == ["$." + ".".join(path)]


@pytest.mark.parametrize("connector", CONNECTORS.values(), ids=CONNECTORS)
def test_every_field_read_may_hold_any_json(connector):
    """Whatever a field holds, an item is taken, refused with paths, or unsupported; nothing else can happen."""
    [piece] = slice_body((CONTRACTS / "vendors" / connector.name / "samples/completion.json").read_bytes())
    seen = set()
    for path in all_paths(piece.item):
        for value in ANYTHING:
            [kind] = outcome(connector, json.dumps(replaced(piece.item, path, value)).encode())
            seen.add(kind)
    assert seen == {"completion", "invalid", "unsupported"}


def all_paths(item, above=()):
    for name, value in item.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from all_paths(value, (*above, name))


def text_paths(item):
    return [path for path in all_paths(item) if isinstance(at(item, path), str)]


def at(item, path):
    for name in path:
        item = item[name]
    return item


def replaced(item, path, value):
    copy = json.loads(json.dumps(item))
    at(copy, path[:-1])[path[-1]] = value
    return copy


def with_nul(item, path):
    return replaced(item, path, at(item, path)[:4] + "\0" + at(item, path)[4:])
