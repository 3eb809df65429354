"""`gateway identity check-file`: the file judged live in this process, with a bar, written beside its rows."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.output import Output, console

if TYPE_CHECKING:
    from gateway.app import Authority, Gateway


async def check_file(gateway: "Gateway", authority: "Authority", file: Path, result: Path, out: Output) -> Any:
    """Judges and writes. Returns: the report. Raises: ConfigError, UpstreamError; then nothing is written."""
    import asyncio
    import sys

    from rich.progress import Progress

    from gateway.bdtx.sheets import read_file
    from gateway.stages.file_check.judging import RowResult
    from gateway.stages.file_check.reading import MAX_BYTES, read_people
    from gateway.stages.file_check.result import counted, write_result
    from gateway.stages.file_check.work import judged

    content = await asyncio.to_thread(read_file, file, MAX_BYTES)
    people = await asyncio.to_thread(read_people, content, file.name)
    results: list[RowResult] = []
    now = gateway.clock.now_ms()
    with Progress(console=console(sys.stderr), disable=out.json, transient=True) as bars:
        bar = bars.add_task(out.run.text("identity.check-file.bar"), total=len(people.rows))
        async for part in judged(people, authority.file_judge, gateway.owners, None, not_before_ms=now):
            results += part
            bars.update(bar, completed=len(results))
    written = await asyncio.to_thread(write_result, people, results, out.run.lang, now)
    await asyncio.to_thread(result.write_bytes, written)
    counts: Counter[str] = counted(results)
    return {
        "rows": len(results),
        "verified": counts["verified"],
        "counts": dict(counts.most_common()),
        "passed_over": dict(people.passed_over),
        "out": str(result),
    }
