"""One stored verification beside today's judgement of the same completion, and what is different.

The evidence of then is the sealed version of the file it was judged by. Values are for readers whose scope
covers the person: whoever shows a Comparison decides that.
"""

from dataclasses import dataclass, field
from typing import Any

from gateway.identity.accounts import Accounts
from gateway.identity.snapshots import Snapshots
from gateway.model.clock import Clock, local_date
from gateway.model.completion import Claim
from gateway.model.errors import NotFound
from gateway.model.person import Snapshot
from gateway.model.verdict import Effect, Verdict
from gateway.queue import payloads
from gateway.queue.findings import unpack_findings
from gateway.security.vault import Vault
from gateway.stages.checking import Checking
from gateway.stages.judging import confirmed
from gateway.stages.owners import NamedOwner, Owners
from gateway.storage.engine import Database

VERIFICATION = """
SELECT v.at_ms, v.verified, v.reason, v.rung, v.person_id, v.snapshot_version, v.link_version, v.policy_version,
       v.findings, d.id AS delivery_id, d.vendor_id, d.event_id, d.revision, d.received_at_ms, n.name AS vendor
FROM verifications v JOIN deliveries d ON d.id = v.delivery_id JOIN vendors n ON n.id = d.vendor_id
WHERE v.id = :id"""


@dataclass(frozen=True, slots=True)
class Look:
    """One judgement: when, on which claim and file, with which verdict."""

    at_ms: int
    claim: Claim = field(repr=False)
    on_file: Snapshot | None = field(repr=False)
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """Then and now. `now` is None while the sector database is silent."""

    then: Look
    now: Look | None
    owner: NamedOwner | None = None  # who acts today on what holds now, or held then while nobody answers

    @property
    def file_changes(self) -> tuple[str, ...]:
        """Names of the fields of the file that differ; all of them when there was, or is, no file."""
        before, after = self.then.on_file, self.now.on_file if self.now else None
        if self.now is None or (before is None and after is None):
            return ()
        fields = Snapshot.__struct_fields__
        return tuple(name for name in fields if getattr(before, name, None) != getattr(after, name, None))

    @property
    def claim_changes(self) -> tuple[str, ...]:
        """Names of the fields of the claim that differ: the identifier, if a link was confirmed meanwhile."""
        if self.now is None:
            return ()
        then, now = self.then.claim, self.now.claim
        return tuple(name for name in Claim.__struct_fields__ if getattr(then, name) != getattr(now, name))

    @property
    def gone(self) -> tuple[str, ...]:
        """Codes that were found then and are not any more."""
        return _codes_only_in(self.then, self.now) if self.now else ()

    @property
    def new(self) -> tuple[str, ...]:
        """Codes that are found now and were not then."""
        return _codes_only_in(self.now, self.then) if self.now else ()


class ThenAndNow:
    """Makes comparisons. One instance per process."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        snapshots: Snapshots,
        accounts: Accounts,
        checking: Checking,
        owners: Owners,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._snapshots = snapshots
        self._accounts = accounts
        self._checking = checking
        self._owners = owners

    async def compare(self, verification_id: int) -> Comparison:
        """Asks live and stores no verdict. Raises: NotFound; KeyMissing, SealBroken for lost evidence."""
        async with self._db.read() as tx:
            found = await tx.rows(VERIFICATION, id=verification_id)
        if not found:
            raise NotFound("there is no verification with this id")
        row = found[0]
        bodies = await payloads.load(self._db, self._vault, [row.delivery_id])
        if row.delivery_id not in bodies:
            raise NotFound("what was sent is past its retention")
        completion, _ = payloads.open_body(
            self._vault, row.vendor_id, row.event_id, row.revision, bodies[row.delivery_id]
        )
        account = self._accounts.account(row.vendor_id, row.vendor, completion.claim.lms_user_id)
        claim_then = completion.claim
        if row.link_version is not None and (link := await self._accounts.link_of(account, row.link_version)):
            claim_then = claim_then.replace(identifier=link.identifier)
        then = Look(row.at_ms, claim_then, await self._file(row), _verdict(row))
        known = (await self._accounts.known([account]))[account]
        claim_now, _ = confirmed(row.received_at_ms, completion.claim, known)
        [checked] = await self._checking.check(
            row.vendor_id, row.vendor, [claim_now], completed_on=local_date(completion.completed_at_ms)
        )
        naming, school = await self._owners.today(), claim_now.unit_code
        if checked is None:
            return Comparison(then, None, naming.of_verdict(then.verdict, school))
        hits = (hit for answer in checked.case.answers.values() for hit in answer.hits)
        on_file = next((hit for hit in hits if hit.sector_id == checked.verdict.sector_id), None)
        now = Look(self._clock.now_ms(), claim_now, on_file, checked.verdict)
        return Comparison(then, now, naming.of_verdict(checked.verdict, school))

    async def _file(self, row: Any) -> Snapshot | None:
        if row.person_id is None:
            return None
        return await self._snapshots.version(row.person_id, row.snapshot_version)


def _verdict(row: Any) -> Verdict:
    """The verdict on the person as it was stored; holds of course or result are not part of it."""
    findings = unpack_findings(row.findings)
    reason = next((finding.code for finding in findings if finding.effect is Effect.HOLDS), None)
    return Verdict(
        verified=reason is None,
        reason=reason,
        rung=row.rung,
        findings=findings,
        policy_version=row.policy_version,
    )


def _codes_only_in(one: Look, other: Look) -> tuple[str, ...]:
    others = {finding.code for finding in other.verdict.findings}
    return tuple(
        f.code for f in one.verdict.findings if f.code not in others and f.effect is not Effect.SUPPORTS
    )
