"""What the client raises where no answer came as it was asked for."""

from train.errors import UserError


class ServerProblem(UserError):
    """The server answered with a problem (RFC 9457), or with something that no server of this project answers."""

    def __init__(
        self, status: int, type: str, detail: str, request_id: str | None, retry_after_s: float | None = None
    ) -> None:
        where = f"status {status}, request {request_id}" if request_id else f"status {status}"
        super().__init__(f"{detail} ({where})")
        self.status = status
        """Of HTTP."""
        self.type = type
        """``urn:segdistill:problem:<kind>``, or ``about:blank`` where the status says it all."""
        self.detail = detail
        """One line: what is wrong, and what to do."""
        self.request_id = request_id
        """Stands in the server's log too; None where the answer had none."""
        self.retry_after_s = retry_after_s
        """How long the server asks to wait, in seconds; None where it does not say."""


class NoAnswer(UserError):
    """No answer came, or not all of it: no connection, one that broke, or too long a wait."""

    def __init__(self, message: str, *, reached: bool, begun: bool) -> None:
        super().__init__(message)
        self.reached = reached
        """Whether there was a connection to the server."""
        self.begun = begun
        """Whether it may be at work on the request, or has answered in part: nothing of that is sent again."""


class LiveEnded(UserError):
    """A live stream is over."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the live stream ended: {reason or 'without a reason'} (close code {code})")
        self.code = code
        """Of RFC 6455; serve/live/README.md says when the server sends which."""
        self.reason = reason
