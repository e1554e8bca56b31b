"""Our server, its peers and the bare loop, in rounds: each round has all of them, in another order."""

import contextlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from serve.benchmark.images import load_images
from tests.peers.bare_loop import bare_loop
from tests.peers.levels import LEVELS, Level, measure
from tests.peers.overload import Overload, overload
from tests.peers.servers import Server, serving
from train.errors import UserError

OURS = "ours"
_COMPARED_IMAGES = 8


@dataclass(frozen=True)
class Setup:
    """A server, so many requests worked on at once, so many threads for an inference, and LitServe's largest batch."""

    name: str
    workers: int
    threads: int
    batch: int = 1

    @property
    def label(self) -> str:
        batches = f", batches of {self.batch}" if self.batch > 1 else ""
        return f"{self.name} {self.workers}x{self.threads}{batches}"

    @property
    def options(self) -> list[str]:
        batch = ["--max-batch-size", str(self.batch)] if self.name == "LitServe" else []
        return ["--workers", str(self.workers), "--threads", str(self.threads), *batch]


@dataclass
class Comparison:
    """Of each server, the levels of each round; of each bare loop, its rounds."""

    levels: dict[str, dict[int, list[Level]]] = field(default_factory=dict)
    bare: dict[str, list[float]] = field(default_factory=dict)
    overload: Overload | None = None

    def median(self, label: str, clients: int, name: str) -> float:
        return float(np.median([getattr(level, name) for level in self.levels[label][clients]]))

    def ratio(self, peer: str, clients: int, name: str) -> float:
        """Ours to the peer's, the median of the rounds."""
        pairs = zip(self.levels[OURS][clients], self.levels[peer][clients], strict=True)
        return float(np.median([getattr(ours, name) / getattr(theirs, name) for ours, theirs in pairs]))

    def of_bare(self, clients: int) -> float:
        """Our throughput to that of the fastest bare loop, the median of the rounds."""
        best = max(self.bare.values(), key=lambda rounds: float(np.median(rounds)))
        pairs = zip(self.levels[OURS][clients], best, strict=True)
        return float(np.median([ours.throughput / theirs for ours, theirs in pairs]))


def compare(
    bundle: Path,
    folder: Path,
    peers: Sequence[Setup],
    ours: Sequence[str],
    loops: Sequence[Setup],
    rounds: int,
    seconds: float,
    overload_s: float,
) -> Comparison:
    """Start all, check that they give the same class maps, and measure in turn; the overload at the end, alone."""
    images = load_images(None, folder, None)
    found = Comparison()
    with contextlib.ExitStack() as running:
        servers = {OURS: running.enter_context(serving(OURS, bundle, *ours))}
        for peer in peers:
            servers[peer.label] = running.enter_context(serving(peer.name, bundle, *peer.options))
        _check_equal(servers, images[:_COMPARED_IMAGES])
        bare = {
            loop.label: running.enter_context(bare_loop(bundle, folder, loop.workers, loop.threads)) for loop in loops
        }
        found.levels = {label: {clients: [] for clients in LEVELS} for label in servers}
        found.bare = {label: [] for label in bare}
        for number in range(rounds):
            for clients in LEVELS:
                for label in _turned(list(servers), number + clients):
                    level = measure(servers[label], images, clients, seconds)
                    found.levels[label][clients].append(level)
                    of = f"round {number + 1}/{rounds} {label}, {clients} clients"
                    _say(f"{of}: {level.throughput:.1f}/s, p99 {level.p99_ms:.1f} ms")
            for label in _turned(list(bare), number):
                found.bare[label].append(bare[label].run(seconds))
                _say(f"round {number + 1}/{rounds} {label}: {found.bare[label][-1]:.1f}/s")
    if overload_s:
        _say(f"overload: {overload_s:g} s at twice the capacity")
        with serving(OURS, bundle, *ours) as server:
            found.overload = overload(server, images, overload_s)
    return found


def _check_equal(servers: dict[str, Server], images: Sequence[bytes]) -> None:
    """All give the same class ids at the picture's own size, or a comparison would be of different work."""
    headers = {"Accept": "image/png", "Content-Type": "image/jpeg"}
    for number, image in enumerate(images):
        maps = {}
        for label, server in servers.items():
            answer = httpx.post(f"{server.url}/segment", content=image, headers=headers, timeout=60).raise_for_status()
            maps[label] = np.asarray(Image.open(io.BytesIO(answer.content)))
        for label, ids in maps.items():
            if not np.array_equal(ids, maps[OURS]):
                raise UserError(f"image {number}: {label} gives another class map than ours")
    _say(f"{', '.join(servers)}: the same class maps of {len(images)} images")


def _turned(labels: list[str], by: int) -> list[str]:
    by %= max(1, len(labels))
    return labels[by:] + labels[:by]


def _say(line: str) -> None:
    os.write(2, f"{line}\n".encode())
