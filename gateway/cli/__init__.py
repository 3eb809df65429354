"""The `gateway` command: one file per command, found by discovery.

A module here that defines `COMMAND` (a function) is the top-level command of its name; one that defines `APP`
(a `typer.Typer`) is a group of commands. Texts are in texts/: `<command>.help` for the command itself,
`<command>.<option>` for an option; what has no text keeps the English of the code. Heavy imports belong inside
the functions, so that `gateway --help` stays quick.
"""

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, cast

import typer

from gateway.cli.exits import Exit, exit_for
from gateway.cli.output import TEXTS, Invocation, complain
from gateway.model.discovery import discover
from gateway.model.texts import LANGS, Lang, Texts, language

__all__ = ["build", "run"]


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Runs one command line. Returns: the exit status (gateway/cli/exits.py)."""
    rest, wanted = _take_language(argv)
    lang = _language(wanted, env)
    this = Invocation(env, lang, Texts.load(TEXTS))
    if wanted is not None and wanted not in LANGS:
        sys.stderr.write(this.text("error.lang", found=wanted) + "\n")
        return Exit.USAGE
    try:
        build(this).main(args=rest, prog_name="gateway", obj=this)
    except SystemExit as stop:  # typer ends every run so, after printing its own usage errors
        return stop.code if isinstance(stop.code, int) else Exit.OK if stop.code is None else Exit.FAULT
    except Exception as error:
        status = exit_for(error)
        if status is Exit.BUG:
            traceback.print_exc()
        complain(this, error)
        return status
    return Exit.OK


def build(this: Invocation) -> Any:
    """All commands as one typer (click) group, its help in the reader's language. Raises: ConfigError."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback(epilog=this.text("gateway.exits"))(_root)
    for name, command in discover(__name__, "COMMAND").items():
        app.command(name.replace("_", "-"))(cast(Callable[..., Any], command))
    for name, group in discover(__name__, "APP").items():
        group = cast(typer.Typer, group)
        bare = group.registered_callback  # a group that does something by itself says so in its callback
        does = bare is not None and bare.invoke_without_command is True
        app.add_typer(group, name=name.replace("_", "-"), no_args_is_help=not does)
    built = typer.main.get_command(app)
    _translate(built, this, "")
    return built


def _root(
    lang: Annotated[
        str | None, typer.Option("--lang", metavar="[vi|en]", help="Language; may stand anywhere.")
    ] = None,
) -> None:
    """The integration gateway from LMS vendors to TEMIS."""


def _translate(command: Any, this: Invocation, path: str) -> None:
    """Puts our texts in the place of the English in the code, command by command."""
    command.help = _text(this, f"{path or 'gateway'}.help") or command.help
    command.short_help = None
    for parameter in command.params:
        found = _text(this, f"{path or 'gateway'}.{parameter.name}") or _text(this, f"option.{parameter.name}")
        parameter.help = found or getattr(parameter, "help", None)
    for name, member in getattr(command, "commands", {}).items():
        _translate(member, this, f"{path}.{name}" if path else name)


def _text(this: Invocation, key: str) -> str | None:
    return this.text(key) if this.texts.has(key) else None


def _take_language(argv: Sequence[str]) -> tuple[list[str], str | None]:
    """`--lang` may stand before or after the command; it is taken out before the command line is read."""
    rest: list[str] = []
    wanted: str | None = None
    words = iter(argv)
    for word in words:
        if word == "--":
            return [*rest, word, *words], wanted
        if word == "--lang":
            wanted = next(words, "")
        elif word.startswith("--lang="):
            wanted = word.removeprefix("--lang=")
        else:
            rest.append(word)
    return rest, wanted


def _language(wanted: str | None, env: Mapping[str, str]) -> Lang:
    for choice in LANGS:
        if choice == (wanted or env.get("GATEWAY_LANG")):
            return choice
    return language(env)
