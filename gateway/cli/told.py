"""Deliveries as JSON and as tables. No personal value is among what they are made of (queue/listing.py)."""

from typing import TYPE_CHECKING, Any

from gateway.cli.explained import Explained
from gateway.cli.output import Invocation, Output
from gateway.model.clock import iso

if TYPE_CHECKING:
    from gateway.queue.listing import Attempt, Detail, LastVerdict, Line, Record

LINE = ("id", "vendor", "event_id", "revision", "kind", "state", "reason", "owner", "changed_at")
ATTEMPT = ("at", "stage", "outcome", "to_state", "http_status", "duration_ms")


def words(run: Invocation, found: "Line") -> list[object]:
    """One delivery of a list in the reader's words, in the order of LINE; reasons stay codes to filter by."""
    from gateway.model.reasons import OWNERS, STATES

    row = line(found)
    row["kind"] = run.text(f"deliveries.kind.{found.kind}")
    row["state"] = STATES[found.state][run.lang]
    row["owner"] = OWNERS[found.owner][run.lang] if found.owner and found.owner in OWNERS else found.owner
    return [row[name] for name in LINE]


def line(found: "Line") -> dict[str, Any]:
    """One delivery of a list."""
    return {
        "id": found.id,
        "vendor": found.vendor,
        "event_id": found.event_id,
        "revision": found.revision,
        "kind": found.kind,
        "state": found.state.value,
        "reason": found.reason,
        "owner": found.owner,
        "tries": found.tries,
        "received_at": iso(found.received_at_ms),
        "changed_at": iso(found.changed_at_ms),
        "due_at": None if found.due_at_ms is None else iso(found.due_at_ms),
    }


def detail(found: "Detail", words: Explained) -> dict[str, Any]:
    """All about one delivery: the JSON of `gateway deliveries show`."""
    return line(found.line) | {
        "state_text": words.state,
        "reason_text": words.reason,
        "remedy": words.remedy,
        "owner_text": words.owner,
        "outcome_unknown": found.is_outcome_unknown,
        "superseded_by": found.superseded_by,
        "record": found.record and _record(found.record),
        "verdict": found.verdict and _verdict(found.verdict),
        "attempts": [_attempt(attempt) for attempt in found.attempts],
        "waits": dict(found.waits),
        "courses": list(found.courses),
    }


def table(out: Output, found: "Detail", words: Explained) -> None:
    """The same for people: what is known, then what was tried."""
    told = detail(found, words)
    record, verdict = told["record"] or {}, told["verdict"] or {"findings": []}
    facts = {
        "id": told["id"],
        "event_id": f"{told['vendor']} · {told['event_id']} · {told['revision']}",
        "kind": told["kind"] != "completion" and out.run.text(f"deliveries.kind.{told['kind']}"),
        "state": f"{told['state']}: {words.state}",
        "reason": told["reason"] and f"{told['reason']}: {words.reason}",
        "remedy": words.remedy,
        "owner": words.owner,
        "superseded_by": told["superseded_by"],
        "record": " · ".join(
            str(record[name]) for name in ("module", "school_year", "temis_record_id") if record.get(name)
        ),
        "findings": ", ".join(f"{f['code']} ({f['effect']})" for f in verdict["findings"]),
        "source": _source(out, verdict),
        "waits": ", ".join(out.run.text(f"deliveries.wait.{kind}") for kind in told["waits"]),
        "courses": ", ".join(told["courses"]),
        "tries": told["tries"],
        "received_at": told["received_at"],
        "changed_at": told["changed_at"],
        "due_at": told["due_at"],
    }
    rows = [(out.run.text(f"deliveries.column.{name}"), value) for name, value in facts.items() if value]
    out.table(["deliveries.column.what", "deliveries.column.value"], rows)
    if told["attempts"]:
        columns = [f"deliveries.column.{name}" for name in ATTEMPT]
        out.table(columns, [[attempt[name] for name in ATTEMPT] for attempt in told["attempts"]])


def _source(out: Output, verdict: dict[str, Any]) -> str | None:
    """Whether the sector database was asked for this verdict, or how old the answer was."""
    age_ms = verdict.get("age_ms")
    if age_ms is None:
        return None
    return (
        out.run.text("deliveries.cached", s=round(age_ms / 1000)) if age_ms else out.run.text("deliveries.live")
    )


def _record(found: "Record") -> dict[str, Any]:
    return {
        "module": found.module_code,
        "school_year": found.school_year,
        "revision": found.revision,
        "temis_record_id": found.temis_record_id,
        "stands": found.stands,
    }


def _verdict(found: "LastVerdict") -> dict[str, Any]:
    return {
        "at": iso(found.at_ms),
        "verified": found.verified,
        "reason": found.reason,
        "rung": found.rung,
        "live": found.age_ms == 0,
        "age_ms": found.age_ms,
        "policy_version": found.policy_version,
        "findings": [{"code": f.code, "effect": f.effect.value} for f in found.findings],
    }


def _attempt(found: "Attempt") -> dict[str, Any]:
    return {
        "at": iso(found.at_ms),
        "stage": found.stage,
        "trigger": found.trigger,
        "outcome": found.outcome,
        "to_state": found.to_state,
        "http_status": found.http_status,
        "duration_ms": found.duration_ms,
        "late": found.late,
    }
