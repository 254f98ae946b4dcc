"""The C{CONNECT} method of HTTP (RFC 9110 section 9.3.6), without I/O."""

from __future__ import annotations

import re
from typing import Final

import h11

from hybridconn.core.http import join_authority
from hybridconn.core.text import printable, standard_phrase
from hybridconn.wayout.authentication import IAuthenticator, authenticator
from hybridconn.wayout.errors import Refused
from hybridconn.wayout.proxy import Proxy

_MOST_HEAD: Final = 16 * 1024
# Of the page that comes with a 407, before the next round on the same connection.
_MOST_BODY: Final = 64 * 1024
_MOST_EVENTS: Final = 8
_MOST_ROUNDS: Final = 3
_MOST_WORDS: Final = 80

_ADVICE: Final = {
    400: "it may not do CONNECT",
    403: "its rules forbid this host or port",
    404: "it may not do CONNECT",
    405: "it does no CONNECT",
    429: "it has too many requests",
    500: "it failed",
    501: "it does no CONNECT",
    502: "it cannot reach that",
    503: "it cannot reach that",
    504: "it got no answer from there",
}


class ConnectHandshake:
    """
    Asks a proxy for a connection to C{host} and C{port}.

    @ivar done: the proxy opened it.
    @ivar rest: what came behind its answer.
    @raise Refused: the password cannot be had.
    """

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self._proxy = proxy
        self._place = join_authority(host.strip("[]"), port)
        self._who: IAuthenticator | None = authenticator(proxy)
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD)
        self._rounds = 0
        self._body = self._interim = 0
        self._again: str | None = None
        self.done = False
        self.rest = b""

    def begin(self) -> bytes:
        """What to say first."""
        return self._ask(self._who.next(None) if self._who else None)

    def receive(self, data: bytes) -> bytes:
        """
        Take what the proxy said; empty: it said nothing and closed.

        @return: what to say next.
        @raise Refused: there will be no connection.
        """
        try:
            self._http.receive_data(data)
            return self._events()
        except h11.RemoteProtocolError:
            if not data:
                raise Refused("closed the connection without an answer") from None
            raise Refused(
                "answered something that is no HTTP; is it another kind of proxy?"
            ) from None

    def _events(self) -> bytes:
        said = b""
        while not self.done:
            event = self._http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                break
            if isinstance(event, h11.ConnectionClosed):
                raise Refused("closed the connection without an answer")
            if isinstance(event, h11.InformationalResponse):
                self._interim += 1
                if self._interim > _MOST_EVENTS:
                    raise Refused("sends one interim answer after the other")
            elif isinstance(event, h11.Response):
                self._answered(event)
            elif isinstance(event, h11.Data):
                self._body += len(event.data)
                if self._body > _MOST_BODY:
                    raise Refused("asks for a password with a page that has no end")
            elif isinstance(event, h11.EndOfMessage):
                said += self._next_round()
        return said

    def _answered(self, response: h11.Response) -> None:
        status = response.status_code
        if 200 <= status < 300:
            self.done = True
            self.rest = self._http.trailing_data[0]
        elif status == 407:
            self._again = self._challenged(response)
        else:
            reason = printable(response.reason.decode("latin-1"), _MOST_WORDS)
            words = f"{status} {reason or standard_phrase(status)}".rstrip()
            advice = _ADVICE.get(status)
            more = f" ({advice})" if advice else ""
            if status == 401 and self._who is not None:
                # Some say so of a password that is there, but wrong.
                raise Refused(self._not_accepted(words))
            raise Refused(f"refused CONNECT {self._place}: {words}{more}")

    def _challenged(self, response: h11.Response) -> str:
        """What to answer a 407 with."""
        offers = [
            value.decode("latin-1").strip()
            for name, value in response.headers
            if name == b"proxy-authenticate"
        ]
        known = [
            printable(offer.partition(" ")[0], 20)
            for offer in offers
            if re.fullmatch(r"[A-Za-z0-9_-]+( .*)?", offer, re.ASCII | re.DOTALL)
        ]
        kinds = ", ".join(dict.fromkeys(known[:_MOST_EVENTS])) or "in no known way"
        if self._who is None:
            raise Refused(f"asks for a password (407, {kinds}); set {self._proxy.mend}")
        word = self._who.word
        mine = [one for one in offers if one.partition(" ")[0].lower() == word.lower()]
        if not mine:
            raise Refused(
                f"does not take {word} (407, {kinds}); choose another"
                " proxy_authentication in [way_out]"
            )
        challenge = mine[0].partition(" ")[2].strip()
        self._rounds += 1
        answer = None
        if self._rounds < _MOST_ROUNDS:
            answer = self._who.next(challenge)
        if answer is None:
            raise Refused(self._not_accepted(f"407, {kinds}"))
        return answer

    def _not_accepted(self, words: str) -> str:
        return (
            f"does not accept the user or password ({words}); mend {self._proxy.mend}"
        )

    def _next_round(self) -> bytes:
        answer, self._again = self._again, None
        try:
            self._http.start_next_cycle()
        except h11.LocalProtocolError:
            raise Refused(
                "closes the connection in the middle of asking for the password"
            ) from None
        return self._ask(answer)

    def _ask(self, authorization: str | None) -> bytes:
        headers = [("Host", self._place), ("User-Agent", "hybridconn")]
        if authorization is not None:
            headers.append(("Proxy-Authorization", authorization))
        try:
            request = h11.Request(method="CONNECT", target=self._place, headers=headers)
            head = self._http.send(request) or b""
            return head + (self._http.send(h11.EndOfMessage()) or b"")
        except h11.LocalProtocolError:
            raise Refused(f"cannot be asked for {printable(self._place)}") from None
