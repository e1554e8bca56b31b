"""A live source: its newest frame, whatever happened to those before, and itself again when it was lost."""

import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from serve.stream.capture import Device
from serve.video.frames import BrokenFrame, Frame
from train.data.image import DecodedImage
from train.errors import UserError

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0
_LOOK_S = 0.1  # how often a wait looks whether it has to end
_DEFAULT_RATE = 25


class LiveSource:
    """A thread empties the device, so that what is taken is never older than the last frame.

    A device that ends, or says nothing, is opened again after 0.5 s, then after twice as long each time up to 30 s.
    """

    live: bool = True
    length_s: float | None = None

    def __init__(self, device: Device, every: int, stopped: Callable[[], bool], say: Callable[[str], None]) -> None:
        self.name = device.name
        self.dropped = 0
        self._device = device
        self._every = every
        self._stopped = stopped
        self._say = say
        self._changed = threading.Condition()
        self._newest: tuple[int, float, NDArray[np.uint8]] | None = None
        self._ended = False
        self._failure: Exception | None = None
        self._rate = Fraction(_DEFAULT_RATE)
        self._thread = threading.Thread(target=self._capture, name="capture", daemon=True)

    def __enter__(self) -> "LiveSource":
        self._begin(self._device.open())  # what is wrong at the start is said at once
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended = True
        self._thread.join()

    def frames(self) -> Iterator[Frame | BrokenFrame]:
        """The newest frame each time; waits for one, until the stream is stopped."""
        while (newest := self._wait()) is not None:
            number, time_s, bgr = newest
            pixels = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
            yield Frame(number, time_s, DecodedImage(pixels), self._rate)

    def _begin(self, capture: cv2.VideoCapture) -> None:
        self._capturing = capture
        self._thread.start()

    def _wait(self) -> tuple[int, float, NDArray[np.uint8]] | None:
        with self._changed:
            while self._newest is None:
                if self._failure is not None:
                    raise self._failure
                if self._stopped():
                    return None
                self._changed.wait(_LOOK_S)
            newest, self._newest = self._newest, None
            return newest

    def _capture(self) -> None:
        """In the thread: frames of one connection after the other."""
        number, start, capture = 0, time.monotonic(), self._capturing
        try:
            while not self._ended:
                rate = capture.get(cv2.CAP_PROP_FPS)
                self._rate = Fraction(rate).limit_denominator(1001) if 1 <= rate <= 1000 else self._rate
                while not self._ended:
                    read, frame = capture.read()
                    if not read:
                        break
                    self._offer(number, time.monotonic() - start, np.asarray(frame, np.uint8))
                    number += 1
                capture.release()
                if not self._ended:
                    capture = self._reopened()
        except Exception as error:
            self._failure = error
        finally:
            capture.release()

    def _offer(self, number: int, time_s: float, frame: NDArray[np.uint8]) -> None:
        if number % self._every:
            return
        with self._changed:
            self.dropped += self._newest is not None
            self._newest = number, time_s, frame
            self._changed.notify()

    def _reopened(self) -> cv2.VideoCapture:
        lost, wait_s = time.monotonic(), _FIRST_WAIT_S
        self._say(f"{self.name}: no more frames: trying again in {wait_s:g} s")
        while True:
            self._sleep(wait_s)
            try:
                capture = self._device.open()
            except UserError as error:
                if self._ended:
                    return cv2.VideoCapture()
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
                self._say(f"{error}; trying again in {wait_s:g} s")
            else:
                self._say(f"{self.name}: there again after {time.monotonic() - lost:.1f} s")
                return capture

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._ended and time.monotonic() < until:
            time.sleep(_LOOK_S)
