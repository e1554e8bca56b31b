"""How far a stream is: on one line of a terminal that changes, as a line every ten seconds elsewhere."""

import sys
import time

_TERMINAL_S, _LINES_S = 0.5, 10.0


class StreamProgress:
    """Frames, rate, dropped frames, and the time left where the length is known; on stderr."""

    def __init__(self) -> None:
        self.frames = 0
        self._length_s: float | None = None
        self._began = self._said = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def begin(self, length_s: float | None) -> None:
        """The first frame comes now; of a source whose length is known, in seconds, or not."""
        self._length_s = length_s
        self._began = self._said = time.monotonic()

    def update(self, time_s: float | None, dropped: int) -> None:
        """One more frame is done, of that time in the video."""
        self.frames += 1
        now = time.monotonic()
        if now - self._said >= (_TERMINAL_S if self._terminal else _LINES_S):
            self._said = now
            line = self.line(time_s, dropped)
            print(f"\r\x1b[K{line}" if self._terminal else line, end="" if self._terminal else "\n", file=sys.stderr)
            sys.stderr.flush()

    def line(self, time_s: float | None, dropped: int) -> str:
        """E.g. ``120 frames, 24.8/s, 3 dropped, 0:12 left``."""
        elapsed = max(1e-9, time.monotonic() - self._began)
        line = f"{self.frames} frames, {self.frames / elapsed:.1f}/s, {dropped} dropped"
        if self._length_s and time_s:
            minutes, seconds = divmod(round(max(0.0, self._length_s - time_s) * elapsed / time_s), 60)
            line += f", {minutes}:{seconds:02d} left"
        return line

    def say(self, line: str) -> None:
        """A line of its own."""
        print(f"\r\x1b[K{line}" if self._terminal else line, file=sys.stderr, flush=True)
