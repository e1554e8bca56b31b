"""What every command line of the project does with an error: one clear line and an exit code."""

import errno
import sys
from collections.abc import Callable
from typing import NoReturn

from train.errors import UserError
from train.interruption import Interrupted

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


def command(main: Callable[[], None]) -> NoReturn:
    """Run an entry point and exit: 0 done, 2 the user can put it right, 130 interrupted by Ctrl-C, 143 by SIGTERM."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        print(f"error: {error.filename or 'a file'}: cannot be written ({error.strerror}): make room", file=sys.stderr)
        sys.exit(2)
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        sys.exit(stop.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)
