"""The server's stages in a bare Python loop over threads: what a server could reach that costs nothing.

A program: for each number of seconds on stdin it runs that long, and prints images a second.
"""

import argparse
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from export.bundle import load_bundle
from serve.benchmark.images import load_images
from serve.benchmark.stages import run_stages
from serve.engines.choose import open_engine

ROOT = Path(__file__).parents[2]


class BareLoop:
    """The program, started and warm."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, seconds: float) -> float:
        """Images a second."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        print(seconds, file=stdin, flush=True)
        return float(stdout.readline())


@contextmanager
def bare_loop(bundle: Path, images: Path, workers: int, threads: int) -> Iterator[BareLoop]:
    """A loop in a process of its own: ``workers`` images at once, ``threads`` for one inference."""
    line = ["-m", "tests.peers.bare_loop", bundle, "--images", images, "--workers", workers, "--threads", threads]
    command = [sys.executable, *map(str, line)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        loop = BareLoop(process)
        loop.run(0.5)
        yield loop
        process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    bundle = load_bundle(options.bundle)
    engine = open_engine(bundle, threads=options.threads).engine
    images = load_images(None, options.images, None)

    def work(until: float, done: list[int]) -> None:
        for image in itertools.cycle(images):
            if time.perf_counter() >= until:
                return
            run_stages(engine, bundle.manifest, image)
            done.append(1)

    for line in sys.stdin:
        done: list[int] = []
        began = time.perf_counter()
        loops = [threading.Thread(target=work, args=(began + float(line), done)) for _ in range(options.workers)]
        for loop in loops:
            loop.start()
        for loop in loops:
            loop.join()
        print(len(done) / (time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main()
