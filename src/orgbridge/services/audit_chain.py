"""Is the audit as it was written? And taking old entries out so that this can still be answered.

A checkpoint holds number and hash of the last entry that was pruned, signed with the key that signs tokens. What an
owner of database AND key did cannot be found here; compare `head` with what export, logs or a colleague noted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import jwt

from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON, JSONDecodeError, loads
from orgbridge.services.audit import column_text, link
from orgbridge.services.key_rotation import SigningKeys
from orgbridge.store.audit_records import AuditFilter, AuditHead, AuditRecord, CheckpointRecord
from orgbridge.store.database import Database

_STEP = 1_000
_TYPE = "audit-checkpoint+jwt"
_BEGINNING = AuditHead(seq=0, hash="0" * 64)
#: Faults told of one chain; more do not help anybody.
_MAX_FAULTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found."""

    #: Entries that were read.
    entries: int
    #: The first and the last of their numbers; 0 for none.
    first: int
    last: int
    #: Hash of the last one.
    head: str
    #: What is wrong, one line each; empty for a whole chain.
    faults: list[str] = field(default_factory=list)
    #: What is not wrong but should be known.
    remarks: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """True when every entry is as it was written and none is missing."""
        return not self.faults


class AuditChain:
    """Verifies, exports and prunes."""

    def __init__(self, database: Database, keys: SigningKeys, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock

    async def verify(self, *, expected: AuditHead | None = None) -> Verification:
        """Read the whole chain and see that nothing was changed, taken out or put in.

        Args:
            expected: An entry's number and hash, noted elsewhere at an earlier time: the chain must still hold it.
        """
        faults: list[str] = []
        remarks: list[str] = []
        async with self._database.unit(write=False) as unit:
            end = await unit.audit.head()
            checkpoints = await unit.audit.checkpoints()
        await self._keys.refresh()
        known = {str(jwk["kid"]) for jwk in self._keys.ring.jwks()["keys"]}
        for checkpoint in checkpoints:
            self._check_signature(checkpoint, known, faults, remarks)
        begin = AuditHead(seq=checkpoints[-1].seq, hash=checkpoints[-1].hash) if checkpoints else _BEGINNING
        seen, count = begin, 0
        met = expected is None or expected == begin
        if expected is not None and expected.seq < begin.seq:
            remarks.append(f"entry {expected.seq} was pruned; whether it was as expected cannot be told")
            met = True
        while len(faults) < _MAX_FAULTS:
            async with self._database.unit(write=False) as unit:
                records = await unit.audit.after(seen.seq, _STEP)
            records = [record for record in records if record.seq <= end.seq]
            if not records:
                break
            for record in records:
                count += 1
                if record.seq != seen.seq + 1:
                    faults.append(f"entries {seen.seq + 1} to {record.seq - 1} are missing")
                    seen = AuditHead(seq=record.seq - 1, hash="")
                elif record.hash != link(seen, record.content):
                    faults.append(f"entry {record.seq} or the one before it was changed")
                faults += [f"entry {record.seq}: {what}" for what in _differences(record)]
                seen = AuditHead(seq=record.seq, hash=record.hash)
                met = met or expected == seen
        if seen != end and len(faults) < _MAX_FAULTS:
            faults.append(f"the chain should end at {end.seq} ({end.hash[:12]}…) and ends at {seen.seq}")
        if not met and expected is not None:
            faults.append(f"entry {expected.seq} is not the one with the hash {expected.hash[:12]}…")
        return Verification(
            entries=count,
            first=begin.seq + 1 if count else 0,
            last=seen.seq if count else 0,
            head=end.hash,
            faults=faults[:_MAX_FAULTS],
            remarks=remarks,
        )

    async def export(self, chosen: AuditFilter) -> AsyncIterator[dict[str, JSON]]:
        """Yield entries, oldest first, each with its number and hash."""
        seq = 0
        while True:
            async with self._database.unit(write=False) as unit:
                records = await unit.audit.after(seq, _STEP, chosen)
            for record in records:
                yield entry_portrait(record)
            if len(records) < _STEP:
                return
            seq = records[-1].seq

    async def prune(self, age: timedelta) -> int:
        """Take out entries older than this behind a signed checkpoint, and return how many."""
        now = self._clock.now()
        await self._keys.refresh()
        async with self._database.unit() as unit:
            # Held, so that two who prune take turns.
            await unit.audit.head(hold=True)
            young = await unit.audit.after(0, 1, AuditFilter(since=now - age))
            old = AuditFilter(until=now - age)
            last = await unit.audit.last_before(old) if not young else await unit.audit.before(young[0].seq)
            if last is None:
                return 0
            claims = {"seq": last.seq, "hash": last.hash, "made_at": now.isoformat(timespec="microseconds")}
            key = self._keys.ring.signing
            signature = jwt.encode(claims, key.private, algorithm=key.algorithm, headers={"kid": key.kid, "typ": _TYPE})
            checkpoint = CheckpointRecord(seq=last.seq, hash=last.hash, made_at=now, jwk=key.jwk, signature=signature)
            return await unit.audit.prune(checkpoint)

    def _check_signature(
        self, checkpoint: CheckpointRecord, known: set[str], faults: list[str], remarks: list[str]
    ) -> None:
        name = f"checkpoint {checkpoint.seq}"
        try:
            algorithm = str(checkpoint.jwk["alg"])
            key = jwt.PyJWK(checkpoint.jwk, algorithm=algorithm).key
            claims = jwt.decode(checkpoint.signature, key, algorithms=[algorithm])
            kind = jwt.get_unverified_header(checkpoint.signature).get("typ")
        except (jwt.PyJWTError, KeyError, ValueError, TypeError):
            faults.append(f"{name}: its signature is not valid")
            return
        if kind != _TYPE or claims.get("seq") != checkpoint.seq or claims.get("hash") != checkpoint.hash:
            faults.append(f"{name}: it is not what was signed")
        elif checkpoint.jwk.get("kid") not in known:
            remarks.append(f"{name}: signed by {checkpoint.jwk.get('kid')}, which no longer is a key of this service")


def head_of(seq: int, digest: str) -> AuditHead:
    """Return an entry's number and hash as `verify` expects them."""
    return AuditHead(seq=seq, hash=digest.lower())


def entry_portrait(record: AuditRecord) -> dict[str, JSON]:
    """Return an entry as plain values: number and hash, then all that was written."""
    return {"seq": record.seq, "hash": record.hash, **loads(record.content)}


def _differences(record: AuditRecord) -> list[str]:
    try:
        content = loads(record.content)
        actor = content["actor"]
        told = (content["action"], content["outcome"], content["object"], content["request_id"], actor["id"])
        name, at = actor["name"], content["at"]
    except (JSONDecodeError, KeyError, TypeError):
        return ["its content is not an entry"]
    kept = (record.action, record.outcome, record.object_name, record.request_id, record.actor_id)
    if tuple(map(column_text, map(str, told))) != kept or column_text(str(name)) != record.actor_name:
        return ["its columns do not say what its content says"]
    return [] if record.at.isoformat(timespec="microseconds") == at else ["its instant is not that of its content"]
