"""The exceptions that mean "the user can put this right"."""


class UserError(Exception):
    """Bad input. The message is one line: what is wrong, where, and what to do.

    Entry points print it without a traceback and exit with 2; the server answers with a 4xx.
    """


class NotFiniteError(UserError):
    """A training has left the numbers there are: as a rule its learning rate is too high."""
