"""
Whether there is a newer version, for those who want to be told: looked up at a URL,
never more than said, and never waited for.
"""

from __future__ import annotations

import json
from typing import Any, Final

from attrs import frozen
from packaging.version import InvalidVersion, Version
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from hybridconn.interfaces import IDialer
from hybridconn.operation.version import own_version
from hybridconn.web.agents import pooled_agent
from hybridconn.web.short_body import short_body
from hybridconn.websocket.client import with_timeout
from hybridconn.websocket.words import explain, is_surprise

_MOST_BYTES: Final = 4 * 1024 * 1024
_PATIENCE: Final = 30.0
#: An index of Python packages (PEP 691) answers so, if it is asked.
_ACCEPT: Final = "application/vnd.pypi.simple.v1+json, application/json;q=0.9"


@frozen
class UpdateSettings:
    """
    @ivar url: C{https}; empty: nothing is looked up.
    @ivar interval: seconds between two looks.
    @ivar ca_files: further authorities for the URL, PEM.
    """

    url: str = ""
    interval: float = 86400.0
    ca_files: tuple[str, ...] = ()


class UpdateError(Exception):
    """There is no answer that could be used; the text says why."""


def newest_version(body: bytes) -> str:
    """
    Read the newest version from C{{"version": "1.2"}}, from what an index of Python
    packages says of one (C{{"info": {"version": "1.2"}}}), or from its list
    (C{{"versions": ["1.1", "1.2"]}}), in which versions for trying out do not count.

    @raise UpdateError: there is none.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise UpdateError("it answered no JSON") from None
    said: list[object] = []
    if isinstance(value, dict):
        info, several = value.get("info"), value.get("versions")
        said.append(value.get("version"))
        said.append(info.get("version") if isinstance(info, dict) else None)
        said.extend(several if isinstance(several, list) else [])
    found: list[Version] = []
    for one in said:
        try:
            found.append(Version(one if isinstance(one, str) else ""))
        except InvalidVersion:
            continue
    released = [one for one in found if not one.is_prerelease]
    if not released:
        raise UpdateError("its JSON names no version")
    return str(max(released))


class UpdateNotice(Service):
    """
    Looks from time to time, and says once of each version that it is there.

    @param dialer: the way to the URL.
    @param current: the version that runs.
    @ivar newer: the newest version, if it is newer than what runs; L{None} if not, or
        as long as that is not known.
    """

    log = Logger()
    name = "updates"

    def __init__(
        self,
        settings: UpdateSettings,
        dialer: IDialer,
        reactor: Any,
        current: str | None = None,
    ) -> None:
        self._settings = settings
        self._clock = reactor
        self._agent = pooled_agent(reactor, dialer, persistent=False)
        self.current = own_version() if current is None else current
        self.newer: str | None = None
        self._call: IDelayedCall | None = None
        self._looking: Deferred[Any] | None = None

    def startService(self) -> None:
        """Look in the reactor's turn, and then again and again (Twisted)."""
        super().startService()
        self._call = self._clock.callLater(0, self._look)

    def stopService(self) -> None:
        """Look no more (Twisted)."""
        super().stopService()
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()

    def _look(self) -> None:
        self._call = self._clock.callLater(self._settings.interval, self._look)
        if self._looking is not None:
            return
        headers = Headers({"User-Agent": ["hybridconn"], "Accept": [_ACCEPT]})
        asked: Deferred[Any] = self._agent.request(
            b"GET", self._settings.url.encode("ascii"), headers
        )
        asked.addCallback(_read)
        self._looking = asked = with_timeout(asked, self._clock, _PATIENCE)
        asked.addCallback(newest_version).addCallbacks(self._found, self._failed)
        asked.addErrback(self._bug)

    def _found(self, newest: str) -> None:
        self._looking = None
        if Version(newest) <= Version(self.current):
            self.newer = None
        elif newest != self.newer:
            self.newer = newest
            self.log.info(
                "hybridconn {newer} is there; this is {current}",
                newer=newest,
                current=self.current,
            )

    def _failed(self, failure: Failure) -> None:
        stopped = self._looking is None
        self._looking = None
        if stopped and failure.check(CancelledError):
            return
        error = failure.value
        reasons = getattr(error, "reasons", None)
        if reasons:
            failure = reasons[0]
        if isinstance(error, UpdateError):
            why = str(error)
        elif is_surprise(failure):
            why = type(failure.value).__name__
        else:
            why = explain(failure)
        self.log.warn(
            "no word of newer versions from {url}: {why}",
            url=self._settings.url,
            why=why,
        )

    def _bug(self, failure: Failure) -> None:
        self.log.failure("looking for a newer version failed", failure)


def _read(response: IResponse) -> Deferred[bytes]:
    if response.code != 200:
        raise UpdateError(f"it answered {response.code}")
    return short_body(
        response,
        _MOST_BYTES,
        UpdateError("its answer is longer than 4 MiB"),
        UpdateError("its answer broke off"),
    )
