"""claims_table.ndjson against roster.csv: each claim with its verdict, reason, rung and warnings."""

import json
from datetime import date
from pathlib import Path

import pytest

from gateway.identity.offline import check
from gateway.identity.roster import Roster
from tests.unit.identity.cases import POLICY

HERE = Path(__file__).parent
ROWS = [json.loads(line) for line in (HERE / "claims_table.ndjson").read_text("utf-8").splitlines()]
TODAY = date(2026, 3, 20)


@pytest.fixture(scope="module")
def roster() -> Roster:
    with (HERE / "roster.csv").open(encoding="utf-8", newline="") as file:
        return Roster(file)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['id']}-{row['why']}" for row in ROWS])
def test_a_claim_gets_the_verdict_the_rules_give_it(row, roster):
    """Every row of the table states a rule of identity by an example: its `why` says which."""
    [result] = check([json.dumps(row).encode()], roster, POLICY, TODAY)
    found = {name: result[name] for name in ("verdict", "reason", "rung", "warnings")}
    assert found == row["expect"], row["why"]


def test_the_table_is_large_and_names_each_rule_once():
    """At least 150 claims, no two for the same reason, and every identity code that can be a reason is met."""
    assert len(ROWS) >= 150
    assert len({row["why"] for row in ROWS}) == len(ROWS)
    met = {row["expect"]["reason"] for row in ROWS}
    of_accounts = {"account.shared_identifier", "account.identifier_changed"}  # need more than one claim
    holding = {code for code, effect in POLICY.effects.items() if effect == "holds"}
    assert holding - met == of_accounts
    assert {"attribute.name_variant", "attribute.birth_date_missing"} <= met
