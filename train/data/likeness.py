"""Which images are the same or nearly so: hashes of pixels and distances of thumbnails (no torch)."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

THUMBNAIL = (24, 32)
"""Height and width: what remains of an image when noise, compression and size are gone."""

DIGEST_BYTES = 16

_REMEMBERED = 512
"""Images before an image that it is compared with."""


class Mark(NamedTuple):
    """What an image is recognised by."""

    digest: bytes
    """Hash of the decoded pixels: equal for copies in another lossless format, too."""
    thumbnail: NDArray[np.uint8]
    """Grey levels ``THUMBNAIL``, flat."""


def mark(image: NDArray[np.uint8]) -> Mark:
    """The mark of an RGB image ``(H, W, 3)``."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, THUMBNAIL[::-1], interpolation=cv2.INTER_AREA)
    digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=DIGEST_BYTES).digest()
    return Mark(digest, np.asarray(small, np.uint8).ravel())


def distinct(marks: Sequence[Mark], alike: float) -> list[int]:
    """Indices of the images that are like none kept before them.

    Args:
        marks: of the images, those of a clip one after the other: each is compared with the last 512 kept.
        alike: root mean square difference of two thumbnails, grey levels, below which images are near duplicates;
            copies of the same pixels always are.
    """
    kept: list[int] = []
    seen: set[bytes] = set()
    thumbnails = np.empty((_REMEMBERED, THUMBNAIL[0] * THUMBNAIL[1]), np.float32)
    for index, (digest, thumbnail) in enumerate(marks):
        before = thumbnails[: min(len(kept), _REMEMBERED)]
        if digest in seen or (len(before) and _distances(thumbnail[None].astype(np.float32), before).min() < alike):
            continue
        thumbnails[len(kept) % _REMEMBERED] = thumbnail
        seen.add(digest)
        kept.append(index)
    return kept


def found_in(marks: Sequence[Mark], others: Sequence[Mark], alike: float) -> dict[int, int]:
    """The images that are, nearly or wholly, among others: index -> that of the other."""
    if not marks or not others:
        return {}
    by_digest = {other.digest: index for index, other in enumerate(others)}
    thumbnails = np.stack([other.thumbnail for other in others]).astype(np.float32)
    found = {}
    for index, (digest, thumbnail) in enumerate(marks):
        distances = _distances(thumbnail[None].astype(np.float32), thumbnails)[0]
        nearest = int(distances.argmin())
        if digest in by_digest or distances[nearest] < alike:
            found[index] = by_digest.get(digest, nearest)
    return found


def _distances(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Root mean square differences ``(N, M)`` of flat thumbnails ``(N, P)`` and ``(M, P)``."""
    squares = np.square(others[None] - some[:, None]).mean(axis=2)
    return np.asarray(np.sqrt(squares), np.float32)
