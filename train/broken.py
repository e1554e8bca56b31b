"""Samples that could not be read in the middle of a training."""

from collections.abc import Iterable

from train import processes
from train.errors import UserError

LARGEST_SHARE = 0.01
"""Of the samples of the split; more of them mean that the dataset is not what it was, and end the run."""


class BrokenSamples:
    """Counts them, each once. Others were trained on in their places.

    Args:
        samples: of the split.
        known: messages of those that an earlier part of the run has met.
    """

    def __init__(self, samples: int, known: Iterable[str] = ()) -> None:
        self._samples = samples
        self._messages = dict.fromkeys(known)

    def add(self, messages: tuple[str, ...]) -> list[str]:
        """Those that are new, of all processes.

        Raises:
            UserError: they have become too many.
        """
        if processes.largest(len(messages)):
            messages = tuple(processes.gathered(list(messages)))
        new = [message for message in dict.fromkeys(messages) if message not in self._messages]
        self._messages |= dict.fromkeys(new)
        if len(self._messages) > LARGEST_SHARE * self._samples:
            raise UserError(
                f"{next(iter(self._messages))}; {len(self._messages)} of {self._samples} samples are broken, more than "
                f"{LARGEST_SHARE:.0%}: restore or remove the files, then --resume"
            )
        return new

    def __len__(self) -> int:
        return len(self._messages)
