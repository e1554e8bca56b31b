"""What every command line of the project does with an error: one clear line and an exit code."""

import sys
from collections.abc import Callable
from typing import NoReturn

from train.errors import UserError


def command(main: Callable[[], None]) -> NoReturn:
    """Run an entry point and exit: 0 done, 2 the user can put it right, 130 interrupted by Ctrl-C."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)
