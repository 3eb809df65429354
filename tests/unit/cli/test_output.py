"""What commands print: people or machines, never a mixture."""

import json

import pytest

from gateway.cli.output import PIPED_WIDTH, Invocation, Output
from gateway.model.texts import Texts


@pytest.fixture
def this() -> Invocation:
    texts = Texts({"vi": {"hi": "chào {who}", "who": "Ai"}, "en": {"hi": "hello {who}", "who": "Who"}})
    return Invocation({}, "en", texts)


def test_people_get_sentences_and_no_json(this: Invocation, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json nothing but text is printed."""
    out = this.output()
    out.say("hi", who="Lan")
    out.data({"who": "Lan"})
    assert capsys.readouterr().out == "hello Lan\n"


def test_machines_get_one_json_document_and_nothing_else(
    this: Invocation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under --json standard output parses as a whole."""
    out = Output(this, json=True)
    out.say("hi", who="Lan")
    out.table(["who"], [["Lan"]])
    out.data({"who": "Hoà"})
    assert json.loads(capsys.readouterr().out) == {"who": "Hoà"}


def test_a_table_prints_values_as_they_are(this: Invocation, capsys: pytest.CaptureFixture[str]) -> None:
    """Square brackets in a value are not markup, and an empty cell stays empty."""
    this.output().table(["who"], [["[red]Lan[/red]"], [None], [3]])
    shown = capsys.readouterr().out
    assert "[red]Lan[/red]" in shown
    assert "Who" in shown
    assert "None" not in shown


def test_a_table_in_a_pipe_is_not_cut_at_the_width_of_a_terminal(
    this: Invocation, capsys: pytest.CaptureFixture[str]
) -> None:
    """`gateway … | grep` must find what the table holds."""
    value = "x" * (PIPED_WIDTH - 10)
    this.output().table(["who"], [[value]])
    assert value in capsys.readouterr().out
