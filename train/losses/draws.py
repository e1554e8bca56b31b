"""Random numbers that a resumed run draws just as the uninterrupted one would have."""

import numpy as np
import torch
from torch import nn


class Draws(nn.Module):
    """Generators that follow from a seed and from how often one was asked for; a checkpoint has the count.

    They are on the CPU, so that every device sees the same numbers. In eval mode it is always the same one.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.count = 0

    def generator(self) -> torch.Generator:
        """The next one."""
        seed = int(np.random.SeedSequence((self.seed, self.count)).generate_state(1)[0])
        self.count += self.training
        return torch.Generator().manual_seed(seed)

    def get_extra_state(self) -> int:
        """The count."""
        return self.count

    def set_extra_state(self, state: int) -> None:
        """Go on from a saved count."""
        self.count = state
