"""From a request to a reply: what goes wrong first, then the surface that the path belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..recorder._replies import Reply, Request, html_reply
from ._faults import ImouFaults


class Surface(Protocol):
    """A part of the service: everything below a path.

    Another protocol on the same server is another surface: give it a prefix of its own and add it
    to `camsync.testing.imou.simulator.SURFACES`.
    """

    prefix: str

    def answer(self, request: Request) -> Reply:
        """Answer a request whose path begins with the prefix."""
        ...


class Router:
    """Answers requests for one service."""

    def __init__(self, faults: ImouFaults, surfaces: Sequence[Surface]) -> None:
        self._faults = faults
        self._surfaces = tuple(surfaces)

    def answer(self, request: Request) -> Reply:
        """Answer one request, whatever it is."""
        fault = self._faults.first("reset-connection", "http-404", "http-500", "http-503")
        if fault == "reset-connection":
            return Reply(reset=True)
        if fault is not None:
            return _trouble(int(fault[-3:]))
        for surface in self._surfaces:
            if request.path.startswith(surface.prefix):
                return surface.answer(request)
        return html_reply(404, "Not Found", "no such page")


def _trouble(status: int) -> Reply:
    headers = (("Retry-After", "1"),) if status == 503 else ()
    page = html_reply(status, "Trouble", "something went wrong")
    return Reply(status=status, body=page.body, content_type=page.content_type, headers=headers)
