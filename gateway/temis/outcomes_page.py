"""The outcome table for readers: ROWS -> docs/outcomes.md."""

from gateway.temis.outcomes import ROWS

HEAD = """\
# What TEMIS did, and what follows

Printed from `gateway/temis/outcomes.py`; a test fails when the two differ.

*Settles* says whether the outcome proves what became of the record. Where it does not, the record is read back
before it is sent again. *Burns a try* says whether it counts towards the end of the retry schedule: only what
the record itself caused does.

| seen | kind | reason | settles | burns a try | meaning |
|---|---|---|---|---|---|
"""

FOOT = """
## Kinds

| kind | the delivery |
|---|---|
| success | is `delivered` |
| stale | is `delivered`: a newer revision of the same record is in TEMIS |
| curable | is `held` with owner and remedy, tried again daily, on request and when the cause changes |
| refuse | is `dead`: an operator corrects catalogue or mapping and replays |
| retry, throttle | stays `verified`, due later |
| unknown | stays `verified` and is read back by its key before it is sent again; it is never buried |
| destination_fault | stays `verified` without limit, due as soon as TEMIS recovers |

One attempt may take several calls (see Poison). What the last call proves does not undo what an earlier one
left open: an item that was in a batch answered 500 and then met a 429 is still unknown.

## When TEMIS is called at all

5 failed calls in a row, or 70 % of at least 10 within 5 minutes, open the breaker; one probe each 30 s, the
first success closes it. What only people can mend pauses TEMIS at once and raises an alert: credentials refused
(401 after a fresh token, 403), a certificate that is expired, of another name or of an unknown authority, TLS
that fails. One probe each 60 s, the first success ends the pause. A pause by a person ends only by a person.

All processes share what they know, through the database: who trips a breaker trips it for all within a second,
and one process probes for all. When a breaker closes, all that waited is due; calls begin at a tenth of the
configured rate and reach the whole of it after a minute, deliveries near a deadline first.

`Retry-After` (at most 1 h) delays every call and counts as no failure. A 429 without it delays by 10 s, a 503
without it counts as a failed call. The sector database is called by the same rules.

## Poison

A batch refused as a whole (400, 413, 422) is bisected within the same attempt; so is one answered 5xx or 409
while other batches succeed, or right after TEMIS has answered a read-back. An item that fails alone while
another item was taken is poison and burns a try; the others burn none. One poison among n items takes at most
2·⌈log2 n⌉ + 1 calls. When both halves of a batch that was answered 5xx or 409 fail again, or nothing at all
succeeds in 15 calls, TEMIS is at fault and no item is.
"""


def as_markdown() -> str:
    """docs/outcomes.md, whole."""
    yes = {True: "yes", False: "no"}
    rows = (
        (f"`{row.seen}`", row.kind, f"`{row.reason}`", yes[row.clears_unknown], yes[row.burns_try], row.says)
        for row in ROWS
    )
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows) + FOOT
