"""How it ended, for people: the balance, what is not as it should be, a few stories, what to try next."""

import json
import shlex
import shutil
import sys
from pathlib import Path

from gateway.cli.balance import show
from gateway.cli.demonstration.place import Place
from gateway.cli.demonstration.play import Ending
from gateway.cli.output import Output

SHOWN = 10  # mismatches
MODULE = "GVPT15"  # what the unmapped course of the sandbox comes closest to


def report(out: Output, ending: Ending, sent: int) -> None:
    """Everything but what to try next."""
    show(out, ending.balance)
    rate, seconds = out.run.number(sent / ending.sending_s), out.run.number(ending.settled_s, 1)
    out.say("demo.rate", sent=sent, rate=rate, seconds=seconds)
    if ending.tales:
        out.say("demo.tales")
    for tale in ending.tales:
        out.say("demo.tale.line", text=tale.text)
    for mismatch in ending.mismatches[:SHOWN]:
        text = out.run.text(f"demo.mismatch.{mismatch.what}", subject=mismatch.subject)
        out.say("demo.mismatch.line", text=text, expected=mismatch.expected, found=mismatch.found)
    out.say("demo.bad" if ending.mismatches else "demo.good", n=len(ending.mismatches))


def what_next(out: Output, ending: Ending, place: Place, *, stays_up: bool) -> None:
    """Commands that work as they stand, on the data of this run."""
    gateway = _program()
    held = next((tale for tale in ending.tales if tale.kind == "held"), None)
    lines = [
        f". {shlex.quote(str(place.env_file))}",
        f"{gateway} balance",
        f"{gateway} deliveries list --state held",
        *([f"{gateway} deliveries show {held.delivery_id}"] if held else []),
        f"{gateway} courses list --unmapped",
    ]
    if stays_up:
        out.say("demo.up", gateway=place.gateway, sandbox=place.sandbox)
        if ending.unmapped is not None:
            vendor, course_id = ending.unmapped
            lines.append(f"{gateway} courses map {vendor} {shlex.quote(course_id)} {MODULE}")
        lines.append(f"{gateway} doctor")
    out.say("demo.next")
    _commands(out, lines)
    if stays_up and held is not None and held.corrects:
        out.say("demo.next_fix")
        url = f"{place.sandbox}/_control/registry/staff/{held.sector_id}"
        patch = f"curl -X PATCH {url} -d {shlex.quote(json.dumps(held.corrects))}"
        _commands(out, [patch, "sleep 2", f"{gateway} deliveries show {held.delivery_id}"])
    if stays_up:
        out.say("demo.stop", log=place.log_file)
    else:
        out.say("demo.next_console")
        _commands(out, [f"{gateway} demo --serve"])
        out.say("demo.kept", folder=place.folder, command=f"rm -r {shlex.quote(str(place.folder))}")


def _commands(out: Output, lines: list[str]) -> None:
    for line in lines:
        out.say("demo.command", line=line)


def _program() -> str:
    """How this program is called here."""
    if shutil.which("gateway"):
        return "gateway"
    called = Path(sys.argv[0])
    return str(called) if called.name == "gateway" else f"{shlex.quote(sys.executable)} -m gateway"


def as_dict(ending: Ending, place: Place, sent: int) -> dict[str, object]:
    """The JSON of `gateway demo --json`; `balance` is that of `gateway balance --json`."""
    return {
        "balance": ending.balance.as_dict(),
        "sent": sent,
        "sent_again": ending.repeated,
        "rate_per_s": round(sent / ending.sending_s, 1),
        "settled_s": round(ending.settled_s, 2),
        "mismatches": [
            {"what": m.what, "subject": m.subject, "expected": str(m.expected), "found": str(m.found)}
            for m in ending.mismatches
        ],
        "stories": [tale.as_dict() for tale in ending.tales],
        "folder": str(place.folder),
        "gateway": place.gateway,
        "sandbox": place.sandbox,
    }
