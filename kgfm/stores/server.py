"""What every road to a graph server shares: the error that means "not now"."""

from __future__ import annotations


class ServerUnavailableError(ConnectionError):
    """A graph server is down, unreachable, overloaded or slower than the deadline.

    A later try may succeed. A pipeline that meets this error while it predicts answers from the
    text alone; a wrong password or a malformed query is another error, for it will not mend itself.

    Args:
        message: What happened.
        retry_after: Seconds that the server asks to wait.
    """

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
