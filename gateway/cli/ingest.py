"""`gateway ingest FILE`: takes a file of completions as a stream; run again, it goes on where it was."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.check import File
from gateway.cli.exits import Exit
from gateway.cli.opened import on_gateway, vendor_named
from gateway.cli.output import Invocation, Json, Output, invocation
from gateway.model.errors import Refused

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.queue.streams import LineReceipt

PAGE = 1_000


def ingest(
    ctx: typer.Context,
    file: File,
    vendor: Annotated[str, typer.Option("--vendor", help="Whose completions they are.")],
    results: Annotated[
        Path | None, typer.Option("--results", help="Where to write rows that were not plainly accepted.")
    ] = None,
    json: Json = False,
) -> None:
    """Take a file of completions; exit 1 when a row could not be taken. The same file again goes on."""
    run = invocation(ctx)
    out = run.output(json)
    suffix = ".results.csv" if _is_table(file) else ".results.ndjson"
    target = results or file.with_name(file.name + suffix)
    done = on_gateway(run, lambda gateway: _taken(gateway, out, file, vendor, target))
    out.say("ingest.ended" if done["ended"] != "complete" else "ingest.done", **done)
    if done["told"]:
        out.say("ingest.written", n=done["told"], file=target)
    out.data(done | {"results": str(target) if done["told"] else None})
    if done["ended"] != "complete":
        raise typer.Exit(Exit.INTERRUPTED)
    if done["bad"]:
        raise typer.Exit(Exit.FAULT)


async def _taken(gateway: "Gateway", out: Output, file: Path, vendor: str, target: Path) -> dict[str, Any]:
    from gateway.api.context import Drain
    from gateway.cli.bar import Bar
    from gateway.cli.serving.process import ending_on_signals
    from gateway.connectors import discover
    from gateway.model.clock import day_number
    from gateway.queue.streams import Place, find_stream, open_stream
    from gateway.stages.dropped import Dropped

    found = await vendor_named(gateway, vendor)
    day = day_number(gateway.clock.now_ms())
    if found.terms.has_ended(day) or not found.terms.has_begun(day):
        raise Refused(out.run.text("ingest.not_agreed", vendor=vendor))
    dropped = Dropped(file, discover()[found.connector])
    stream = await open_stream(gateway.db, gateway.clock, found.id, dropped.stream_name())
    body = _FileBody(dropped, stream.line)
    drain = Drain()
    with Bar(out, "ingest.bar").shown() as bar, ending_on_signals(drain):

        async def told(line: int, receipts: object) -> None:
            bar.at(body.n_read, body.n_total, f"{line}")

        place = Place(stream.id, stream.epoch, stream.line)
        ended = await gateway.streaming.take(found, place, body, told, stopping=drain.begun, idle_s=60)
    stream = await find_stream(gateway.db, found.id, stream.name)
    counts = await _write_results(gateway, out.run, stream.id, target)
    bad = sum(counts.get(status, 0) for status in ("invalid", "conflict", "stale", "unsupported"))
    return {
        "stream": stream.name,
        "ended": ended.how.value,
        "begun_after": place.line,
        "line": ended.line,
        "accepted": ended.counts["accepted"],
        "others": counts,
        "told": sum(counts.values()),
        "bad": bad,
    }


class _FileBody:
    """The file as a stream's body; how far it was read is the progress."""

    def __init__(self, dropped: Any, after: int) -> None:
        self._pieces = dropped.pieces(after)
        self.n_read = 0
        self.n_total: int | None = None if dropped.is_table or after else dropped.size_bytes

    async def read(self) -> bytes:
        piece: bytes = next(self._pieces, b"")
        self.n_read += len(piece)
        return piece


async def _write_results(gateway: "Gateway", run: Invocation, stream_id: int, target: Path) -> dict[str, int]:
    """All rows of the file that were not plainly accepted, earlier runs included. Returns: how many of each."""
    from gateway.queue.streams import receipts_after

    counts: dict[str, int] = {}
    after, writer = 0, None
    try:
        while page := await receipts_after(gateway.db, stream_id, after, limit=PAGE):
            writer = writer or _Results(run, target)
            for one in page:
                counts[one.status] = counts.get(one.status, 0) + 1
                writer.add(one)
            after = page[-1].line
    finally:
        if writer is not None:
            writer.close()
    return counts


class _Results:
    """A line for each row, or for each of its faults in a table."""

    def __init__(self, run: Invocation, target: Path) -> None:
        import csv

        self._run = run
        self._is_table = target.suffix.lower() == ".csv"
        self._file = target.open("w", encoding="utf-8-sig" if self._is_table else "utf-8", newline="")
        self._csv = csv.writer(self._file)
        if self._is_table:
            self._csv.writerow(("line", "event_id", "status", "path", "code", "message"))

    def add(self, one: "LineReceipt") -> None:
        import orjson

        from gateway.connectors.faults import TEXTS, fault_text

        faults = [
            (path, code, fault_text(code, self._run.lang) if code in TEXTS else code)
            for path, code in one.faults
        ]
        if self._is_table:
            for path, code, message in faults or [("", "", "")]:
                self._csv.writerow((one.line, _plain(one.event_id), one.status, path, code, message))
            return
        errors = [{"path": path, "code": code, "message": message} for path, code, message in faults]
        told = {"line": one.line, "event_id": one.event_id, "status": one.status, "errors": errors}
        self._file.write(orjson.dumps(told).decode() + "\n")

    def close(self) -> None:
        self._file.close()


def _plain(text: str | None) -> str:
    """A spreadsheet runs what begins so; an apostrophe keeps it text."""
    return f"'{text}" if text and text[0] in "=+-@\t\r" else text or ""


def _is_table(file: Path) -> bool:
    from gateway.stages.dropped import TABLES

    return file.suffix.lower() in TABLES


COMMAND = ingest
