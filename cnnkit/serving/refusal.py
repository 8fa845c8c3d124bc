"""Answers that are not what the client wanted: a status, a sentence and a kind."""

from __future__ import annotations


class Refusal(Exception):
    """A request that is not answered. Its text is what the client sees.

    Args:
        status: of HTTP.
        text: what came, what is allowed, what to do.
        kind: what sort of failure it is, for programs.
        retry_seconds: after which time the client may try again; None if it need not.
    """

    def __init__(
        self, status: int, text: str, *, kind: str = "usage", retry_seconds: int | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.kind = kind
        self.retry_seconds = retry_seconds

    @property
    def facts(self) -> dict[str, str]:
        """The JSON object of the answer."""
        return {"error": str(self), "kind": self.kind}


def busy(text: str) -> Refusal:
    """Return the refusal of a request that may be repeated in a second."""
    return Refusal(429, text, kind="busy", retry_seconds=1)
