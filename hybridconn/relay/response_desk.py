"""Which response on a control channel is whose (relay-protocol section 7.3)."""

from __future__ import annotations

from collections.abc import Callable

from hybridconn.core.http_commands import Response
from hybridconn.core.limits import Limits
from hybridconn.relay.exchange import Exchange


class ResponseDesk:
    """
    The requests that one control channel carried and that are not yet answered.

    A response's body is the next message.  Some listeners send an empty one where
    they said that there is none, and some announce one and send none; so a text is
    a body only while the first message behind such a response is awaited.

    @param complain: writes down what a listener did wrong.
    """

    def __init__(self, limits: Limits, complain: Callable[[str], None]) -> None:
        self._limits = limits
        self._complain = complain
        self._exchanges: dict[str, Exchange] = {}
        self._due: Response | None = None
        self._body: list[bytes] = []
        self._size = 0

    def expect(self, exchange: Exchange) -> bool:
        """
        Wait for the response of one more.

        @return: L{False} if there are as many as there may be.
        """
        if len(self._exchanges) >= self._limits.inline_requests_per_listener:
            return False
        self._exchanges[exchange.request_id] = exchange
        return True

    def forget(self, exchange: Exchange) -> None:
        """Whatever comes for it is thrown away."""
        self._exchanges.pop(exchange.request_id, None)

    def response_received(self, response: Response) -> None:
        """A response's head; the body, if it has one, is the next message."""
        if response.body:
            self._due = response
            self._goes_on(response)
        else:
            self._answer(response, b"")

    def awaits_body(self, binary: bool) -> bool:
        """
        Whether the piece that comes now belongs to a body.  A text in its place
        says that there will be none.
        """
        if self._due is None:
            return False
        if not binary and not self._size and not self._body:
            self._give_up("The listener announced a body and sent none")
            return False
        return True

    def body_received(self, data: bytes, final: bool) -> None:
        """A part of that body."""
        response = self._due
        assert response is not None
        self._size += len(data)
        if self._size <= self._limits.inline_response_bytes:
            self._body.append(data)
        if not final:
            self._goes_on(response)
            return
        size, body = self._size, b"".join(self._body)
        if size > self._limits.inline_response_bytes:
            self._give_up("The listener's response is too long for a control channel")
            return
        self._reset()
        self._answer(response, body)

    def _goes_on(self, response: Response) -> None:
        exchange = self._exchanges.get(response.request_id)
        if exchange is not None:
            exchange.response_goes_on()

    def _answer(self, response: Response, body: bytes) -> None:
        exchange = self._exchanges.pop(response.request_id, None)
        if exchange is not None:
            exchange.answer(response, body)

    def _give_up(self, why: str) -> None:
        response = self._due
        assert response is not None
        self._reset()
        self._complain(why)
        exchange = self._exchanges.pop(response.request_id, None)
        if exchange is not None:
            exchange.fail(why)

    def _reset(self) -> None:
        self._due = None
        self._body = []
        self._size = 0
