"""contracts/gateway/ is what the code does: generated files, samples and the page."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from openapi_spec_validator import validate

from gateway.api.document import text
from gateway.api.models import Receipt
from gateway.api.openapi import DOCUMENTS, documents, openapi
from gateway.api.problems import STATUS, TEXTS, URN
from gateway.api.routes import discover
from gateway.queue.balance import ARRIVALS, STATES, Balance, Sheet
from gateway.queue.delivery import ReceiptStatus

CONTRACT = Path(__file__).parents[3] / "contracts" / "gateway"
PAGE = (CONTRACT / "README.md").read_text("utf-8")
SAMPLES = sorted((CONTRACT / "samples").glob("*.json"))


@pytest.mark.parametrize("name", documents())
def test_the_files_are_those_of_the_code(name):
    """A change of the contract is a change of a file: run `python -m gateway.api.document`."""
    assert (CONTRACT / name).read_text("utf-8") == text(documents()[name])


def test_the_description_is_valid_openapi():
    """Any tool that reads OpenAPI 3.1 can read ours."""
    validate(documents()["openapi.json"])


def test_every_route_is_described_with_its_problems():
    """What is served is documented, with the status of each code it names; and the other way round."""
    paths = openapi(discover())["paths"]
    for route in discover():
        described = paths[route.path][route.method.lower()]
        assert {int(status) for status in described["responses"]} == {
            *route.answers, *(STATUS[code] for code in route.problems),
        }  # fmt: skip
        assert set(re.findall(r"{(\w+)}", route.path)) == set(route.parameters)
    told = {code for route in discover() for code in route.problems}
    assert STATUS.keys() - told == {"route.not_found", "method.not_allowed", "refused"}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_fits_its_schema(path):
    """What we show is what we send."""
    sample = json.loads(path.read_text("utf-8"))
    jsonschema.validate(sample, documents()[f"schemas/{path.stem.partition('-')[0]}.json"])


@pytest.mark.parametrize("path", [p for p in SAMPLES if "problem" in p.name], ids=lambda path: path.stem)
def test_a_sample_problem_is_told_in_todays_words(path):
    """Type, status and title belong to the code."""
    sample = json.loads(path.read_text("utf-8"))
    assert sample["type"] == URN + sample["code"]
    assert sample["status"] == STATUS[sample["code"]] == int(path.stem.split("-")[1])
    assert sample["title"] == TEXTS.get(f"{sample['code']}.title", "vi")


def test_there_is_a_sample_of_every_document_and_receipt():
    """Nobody has to imagine what an answer looks like."""
    assert {path.stem.partition("-")[0] for path in SAMPLES} == set(DOCUMENTS)
    receipts = json.loads((CONTRACT / "samples/receipts.json").read_text("utf-8"))["receipts"]
    assert {Receipt.model_validate(receipt).status for receipt in receipts} == set(ReceiptStatus)


def test_the_balance_of_the_code_fits_its_schema():
    """`gateway balance --json` and the contract name the same counts."""
    sheet = Balance(Sheet(), {"viettel": Sheet()}).as_dict()
    jsonschema.validate(sheet, documents()["schemas/balance.json"])


def test_the_page_names_everything_public():
    """Every code, receipt status, header, path and count of the balance has its place in README.md."""
    names = [*STATUS, *ReceiptStatus, *ARRIVALS, *STATES, "X-Correlation-Id", "traceparent", "Retry-After"]
    names += ["webhook-id", "webhook-timestamp", "webhook-signature", "Accept-Language", "server_time"]
    names += [route.path for route in discover()]
    assert [name for name in names if f"`{name}" not in PAGE and name not in PAGE] == []
    faults = json.loads((CONTRACT / "signature_vectors.json").read_text("utf-8"))["faults"]
    assert {code for code in STATUS if code.startswith("signature.")} == set(faults)
