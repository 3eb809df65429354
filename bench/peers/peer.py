"""What a peer is, what it is asked, and running it as a process of its own."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import orjson

from bench.place import Place
from bench.processes import running

WITHIN_S = 900.0
Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Job:
    """Requests to deliver by one call of `send` each, at most `concurrency` at once; state is in `folder`."""

    bodies: Sequence[bytes]
    send: Send
    folder: Path
    concurrency: int


@dataclass(frozen=True, slots=True)
class Peer:
    """One queue. `prepare` gets it ready, untimed; what it returns does the work, and tells whether it syncs.

    `modules`: what must be importable.
    """

    title: str
    modules: tuple[str, ...]
    prepare: Callable[[Job], Awaitable[Callable[[], Awaitable[bool]]]]

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(name for name in self.modules if find_spec(name) is None)


@dataclass(frozen=True, slots=True)
class PeerTask:
    """What the process is told: which peer, how many, where TEMIS is."""

    peer: str
    total: int
    concurrency: int
    sandbox: str
    folder: str


@dataclass(frozen=True, slots=True)
class PeerDone:
    """`syncs`: whether each of its commits waits for the disk, as the database itself answered."""

    took_s: float
    cpu_s: float
    syncs: bool


async def run_peer(place: Place, name: str, total: int, concurrency: int) -> PeerDone:
    """Runs it against this place's sandbox. Raises: Failed."""
    folder = place.folder / name
    folder.mkdir()
    task = PeerTask(name, total, concurrency, place.sandbox, str(folder))
    log = place.folder / f"{name}.log"
    async with running(name, ["bench.peers"], place.environment(), log, talks=True) as process:
        await process.tell(orjson.dumps(asdict(task)))
        return PeerDone(**orjson.loads(await process.line(WITHIN_S)))
