"""``python -m train.distill CONFIG.yaml [--key value ...]``: train a student, with or without a teacher."""

from train.command import command
from train.config import RunConfig
from train.recipe import train
from train.settings import load_config


def main() -> None:
    run = train(load_config(RunConfig, "python -m train.distill"))
    print(f"run: {run.root}")


if __name__ == "__main__":
    command(main)
