"""Which media type a client wants (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence
from typing import NamedTuple

_ANYTHING = "*/*"


class _Range(NamedTuple):
    media_range: str
    quality: float
    """0 (not at all) to 1."""
    parameters: bool


def choose_media_type(accept: str, offers: Sequence[str]) -> str | None:
    """The offer that the ``Accept`` header likes best; None if it takes none of them.

    A type is liked as much as the most specific range that matches says: ``image/png`` before ``image/*`` before
    ``*/*``. Of equals one that is named wins over one that is merely allowed (``application/json, */*`` is a client
    that reads JSON), then the earlier offer. Parameters such as ``charset`` are not looked at. An empty header takes
    anything; several headers are one with commas between.
    """
    ranges = [_parse(entry) for entry in accept.split(",") if entry.strip()] or [_Range(_ANYTHING, 1.0, False)]
    # Of the same range twice the one without parameters counts: it is the one that speaks of our offers.
    qualities = {entry.media_range: entry.quality for entry in sorted(ranges, key=lambda entry: not entry.parameters)}
    best = max(offers, key=lambda offer: _liking(offer, qualities))
    return best if _liking(best, qualities)[0] > 0 else None


def _parse(entry: str) -> _Range:
    media_range, *parameters = (part.strip().lower() for part in entry.split(";"))
    media_range = _ANYTHING if media_range == "*" else media_range  # of old Java clients
    others = [parameter for parameter in parameters if parameter and not parameter.startswith("q=")]
    weights = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
    return _Range(media_range, _quality(weights[0]) if weights else 1.0, bool(others))


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0


def _liking(offer: str, qualities: dict[str, float]) -> tuple[float, int]:
    """The quality of the most specific range that matches, and how specific that is."""
    for specificity, media_range in zip((2, 1, 0), (offer, offer.split("/")[0] + "/*", _ANYTHING), strict=True):
        if media_range in qualities:
            return qualities[media_range], specificity
    return 0.0, 0
