"""``python -m train.compare.further …``: as ``train.compare``, but it ends with the process that started it.

That one holds the other end of its standard input, which is closed when it is killed, too.
"""

import os
import signal
import sys
import threading

from train.command import command
from train.compare.__main__ import main


def further() -> None:
    threading.Thread(target=_end_with_the_input, daemon=True).start()
    main()


def _end_with_the_input() -> None:
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    command(further)
