"""``python -m train.teacher CONFIG.yaml [--key value ...]``: train a teacher, the same recipe without distillation."""

from train import processes
from train.command import command
from train.config import RunConfig
from train.errors import UserError
from train.recipe import train
from train.settings import load_config


def main() -> None:
    with processes.joined():
        config = load_config(RunConfig, "python -m train.teacher")
        if config.teacher is not None:
            raise UserError("teacher: a teacher is trained from labels alone: remove the key, or use train.distill")
        print(f"run: {train(config).root}")


if __name__ == "__main__":
    command(main)
