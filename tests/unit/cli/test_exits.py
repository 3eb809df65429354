"""Exit statuses are a contract with scripts: documented, and one for every error."""

from gateway.cli.exits import Exit, exit_for
from gateway.cli.output import TEXTS
from gateway.model import errors
from gateway.model.texts import LANGS, Texts


def every_error() -> list[type[errors.GatewayError]]:
    found = [errors.GatewayError]
    for error in found:
        found += error.__subclasses__()
    return found


def test_every_status_is_documented_in_the_help() -> None:
    """`gateway --help` ends with the list, in both languages."""
    texts = Texts.load(TEXTS)
    for lang in LANGS:
        listed = texts.get("gateway.exits", lang)
        assert [int(word) for word in listed.replace(":", " ").split() if word.isdigit()] == sorted(Exit)


def test_what_is_worth_trying_again_has_one_status_of_its_own() -> None:
    """A script may retry on 3 and on nothing else."""
    for kind in every_error():
        error = kind.__new__(kind)
        assert (exit_for(error) is Exit.UNREACHABLE) == kind.retryable, kind.__name__


def test_every_error_has_a_name_for_people() -> None:
    """The first words of a message say what kind of trouble it is, not a code."""
    texts = Texts.load(TEXTS)
    assert [kind.code for kind in every_error() if not texts.has(f"error.{kind.code}")] == []
