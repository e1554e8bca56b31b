"""``python -m train.distill CONFIG.yaml [--key value ...]``: train a student, with or without a teacher.

``torchrun --nproc-per-node N -m train.distill …``: the same on N devices.
"""

import sys

from rich.console import Console

from train import processes
from train.command import command
from train.config import RunConfig
from train.losses.catalogue import catalogue
from train.profile import profile, table
from train.recipe import train
from train.session import open_session
from train.settings import load_config


def main() -> None:
    if sys.argv[1:] == ["--list-losses"]:
        print(catalogue())
        return
    with processes.joined():
        config = load_config(RunConfig, "python -m train.distill")
        if config.profile:
            session = open_session(config)
            Console().print(table(profile(session), session.state.losses, config.loop.batch_size))
        else:
            print(f"run: {train(config).root}")


if __name__ == "__main__":
    command(main)
