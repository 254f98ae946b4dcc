"""What lies behind the relay: the right to send, the listeners, their targets."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from ipaddress import IPv4Network, ip_address
from typing import Any, Final

from twisted.python.failure import Failure

from hybridconn.core import probe
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.refusals import Refusal
from hybridconn.core.sas import SasToken
from hybridconn.core.text import utc_text
from hybridconn.diagnosis.answers import (
    ENTITY,
    LISTENER,
    LISTENERS,
    TARGET,
    TARGET_NAME,
    TARGET_PORT,
    TARGET_TLS,
    TOKEN,
    Blame,
    blame,
)
from hybridconn.diagnosis.check import Check, Result
from hybridconn.diagnosis.mends import (
    CIRCLE,
    NO_WEBSOCKET,
    SEE_LOG,
    THERE,
    target_step,
)
from hybridconn.diagnosis.steps import Steps
from hybridconn.sender.probe import Probed, Prober, speaks_udp
from hybridconn.web.description import Description, DescriptionError
from hybridconn.web.description_reader import DescriptionReader
from hybridconn.websocket.words import is_surprise

#: All hops behind the relay, in their order.
HOPS: Final = (TOKEN, ENTITY, LISTENERS)

#: More listeners are not looked at.
_MOST: Final = 100
#: Of relays that do not say who was chosen: tries for each listener.
_TRIES: Final = 4
#: So many times a listener may not come before the others are looked for no more.
_LOST: Final = 3
_DAY: Final = 86400.0
_HANGS: Final = (
    "see whether one of the listeners hangs, or does not reach the address by which the"
    " relay has it come"
)
_WEB: Final = "it is a web service: use a [[forward]] with http = true"
_NO_WEB: Final = "it is no web service: leave out http = true in this [[forward]]"
_NO_TLS: Final = "does the target speak TLS from the first byte at that port?"
_UNKNOWN_WEB: Final = "no probe, and a web service need not open a WebSocket: it said"
_DATAGRAMS: Final = "nothing is sent by UDP: whether it answers is not seen"
_UNKNOWN: Final = "this listener knows no probes; it reached its target and let us in"


class FarSide:
    """
    Looks at one hybrid connection.

    @param http: whether HTTP requests go there; L{None}: that is not known.
    @param own: of the sender's addresses for names: a listener that finds its target
        there comes back to the sender.  L{None}: that cannot be.
    @param wall: seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        connection: ConnectionString,
        reader: DescriptionReader,
        prober: Prober,
        wall: Callable[[], float] = time.time,
        http: bool | None = None,
        own: IPv4Network | None = None,
    ) -> None:
        self._http = http
        self._own = own
        self._connection = connection
        self._reader = reader
        self._prober = prober
        self._wall = wall

    async def look(
        self, steps: Steps, told: Callable[[Check], object], clock_good: bool = True
    ) -> bool:
        """
        Look at it, and then at each of its listeners.

        @param told: of the checks of each listener.
        @return: whether each let us through to its target.
        """
        described = await self._describe()
        listeners = self._listeners(described)
        first = await anext(listeners)
        if not self._judge(steps, first, described, clock_good):
            return False
        return await self._tell_each(steps.subject, first, listeners, told)

    async def again(self, subject: str, told: Callable[[Check], object]) -> bool:
        """The same for the listeners only."""
        listeners = self._listeners(await self._describe())
        return await self._tell_each(subject, await anext(listeners), listeners, told)

    async def _tell_each(
        self,
        subject: str,
        first: Probed,
        others: AsyncIterator[Probed],
        told: Callable[[Check], object],
    ) -> bool:
        number = 0

        def tell(one: Probed) -> bool:
            nonlocal number
            number += 1
            place = f"{subject}, listener {number}"
            checks = listener_checks(place, one, self._wall(), self._http, self._own)
            for check in checks:
                told(check)
            return all(check.ok for check in checks)

        good = tell(first)
        async for one in others:
            good = tell(one) and good
        return good

    async def _describe(self) -> Description | DescriptionError | None:
        try:
            return await self._reader.read()
        except DescriptionError as error:
            return error
        except Exception as error:
            # The probe goes the same way and says why.
            if is_surprise(Failure(error)):
                raise
            return None

    async def _listeners(
        self, described: Description | DescriptionError | None
    ) -> AsyncIterator[Probed]:
        """
        One probe through each listener, as far as they can be told apart.  There is
        one at least: without a listener, it has the relay's no.
        """
        count = described.listeners if isinstance(described, Description) else None
        relays: list[str] = []
        seen: set[str] = set()
        lost: list[Probed] = []
        for attempt in range(_MOST):
            if attempt >= _TRIES * (count or 1) and not relays:
                break
            one = await self._prober.probe(relays)
            if _unanswered(one):
                # Which one it was is not known; others may come, and are told first.
                lost.append(one)
                if len(lost) == _LOST or len(seen) + 1 >= (count or 1):
                    break
                continue
            whose = one.listener or next(
                (said.id for said in one.told if isinstance(said, probe.ListenerIs)), ""
            )
            if whose in seen:
                if one.listener:
                    break  # there are no others
                continue
            yield one
            seen.add(whose)
            if one.listener:
                relays.append(one.listener)
            if len(seen) == count or (one.refused is not None and not one.listener):
                break
        for one in lost[:1]:
            yield one

    def _judge(
        self,
        steps: Steps,
        first: Probed,
        described: Description | DescriptionError | None,
        clock_good: bool,
    ) -> bool:
        """
        Tell of what comes before the listeners.

        @return: whether one of them answered.
        """
        fault = _relays_no(first)
        if fault is not None and fault.hop == TOKEN and not clock_good:
            steps.failed = "clock"
        for hop in HOPS:
            if steps.failed:
                steps.skip(hop)
            elif fault is not None and fault.hop == hop:
                steps.failed = hop
                steps.tell(hop, Result.FAIL, fault.seen, fault.mend)
            else:
                steps.tell(hop, Result.PASS, self._seen(hop, described))
        if steps.failed:
            steps.skip(LISTENER, TARGET)
        return not steps.failed

    def _seen(self, hop: str, described: object) -> str:
        found = described if isinstance(described, Description) else None
        if hop == TOKEN:
            return self._token_words(found)
        if hop == ENTITY:
            endpoint = found.endpoint if found else None
            stands = f", stands for {endpoint}" if endpoint else ""
            return f"{self._connection.entity_path} is there{stands}"
        count = found.listeners if found else None
        return "somebody listens" if count is None else f"{count} listening"

    def _token_words(self, found: Description | None) -> str:
        if found is not None and not found.requires_client_authorization:
            return "senders need none"
        signature = self._connection.signature
        if signature is None:
            name = self._connection.key_name
            return f"rule {name} may send" if name else "senders need none"
        try:
            ends = SasToken.parse(signature.reveal()).expires_at
        except Refusal:
            return "a ready token"
        days = int((ends - self._wall()) / _DAY)
        soon = "" if days > 1 else ": it is not renewed, get another"
        return f"a ready token, good until {utc_text(ends)}{soon}"


def _unanswered(one: Probed) -> bool:
    return one.refused is not None and not one.refused.status_code


def _relays_no(one: Probed) -> Blame | None:
    """What the relay itself had against it."""
    error = one.refused
    if error is None:
        return None
    found = blame(error.status_code, error.reason, error.tracking_id)
    return found if found.hop in HOPS else None


def listener_checks(
    subject: str,
    one: Probed,
    now: float,
    http: bool | None = None,
    own: IPv4Network | None = None,
) -> Sequence[Check]:
    """
    What one listener told.

    @param http: as for L{FarSide}.
    @param own: as for L{FarSide}.
    @param now: seconds since 1970-01-01 UTC.
    """
    checks: list[Check] = []

    def tell(name: str, result: Result, seen: str, *more: Any) -> None:
        checks.append(Check(subject, name, result, seen, *more))

    if one.refused is not None:
        error = one.refused
        fault = blame(error.status_code, error.reason, error.tracking_id)
        answered = http is not False and NO_WEBSOCKET in error.reason
        if answered or (http and fault.hop == LISTENER):
            tell(LISTENER, Result.PASS, "it answers", "", one.seconds)
            tell(TARGET, Result.SKIP, f"{_UNKNOWN_WEB} {fault.seen}")
            return checks
        if _unanswered(one):
            tell(LISTENER, Result.FAIL, fault.seen, _HANGS)
            return checks
        if fault.hop not in (LISTENER, *HOPS):
            tell(LISTENER, Result.PASS, "it answers", "", one.seconds)
        tell(fault.hop, Result.FAIL, fault.seen, fault.mend)
        return checks
    if not one.knows:
        tell(LISTENER, Result.PASS, "it lets us in", "", one.seconds)
        tell(TARGET, Result.SKIP, _UNKNOWN)
        return checks
    for said in one.told:
        checks.append(_check(subject, said, one, now, http, own))
    good = all(check.ok for check in checks)
    if good and not one.broken and speaks_udp(one.told):
        tell(TARGET_PORT, Result.SKIP, _DATAGRAMS)
    if one.broken and good:
        hop = _HOP_OF.get(one.awaited or "", LISTENER)
        tell(
            hop,
            Result.FAIL,
            f"{one.broken}, tracking id {one.tracking_id}",
            _AFTER[hop],
        )
    return checks


_HOP_OF: Final = {
    "target": TARGET,
    "found": TARGET_NAME,
    "reached": TARGET_PORT,
    "tls": TARGET_TLS,
}
#: What to do when a listener was silent about a hop.
_AFTER: Final = {
    LISTENER: SEE_LOG,
    TARGET: SEE_LOG,
    TARGET_NAME: target_step("not in time", THERE, named=False),
    TARGET_PORT: target_step("target not in time", THERE),
    TARGET_TLS: _NO_TLS,
}


def _check(
    subject: str,
    said: probe.Message,
    one: Probed,
    now: float,
    http: bool | None,
    own: IPv4Network | None,
) -> Check:
    match said:
        case probe.ListenerIs():
            words = f"{said.name}, hybridconn {said.version}, tracking id {said.id}"
            return Check(subject, LISTENER, Result.PASS, words, "", one.seconds)
        case probe.TargetIs():
            is_web = said.target.startswith(("http://", "https://"))
            good = http is None or http is is_web
            mend = "" if good else _WEB if is_web else _NO_WEB
            return Check(subject, TARGET, good, said.target, mend)
        case probe.Found():
            target = next(
                (it.target for it in one.told if isinstance(it, probe.TargetIs)), "it"
            )
            words = f"{target} is at {' and '.join(said.addresses)} there"
            if own is not None and any(_within(it, own) for it in said.addresses):
                words += ", where a sender listens: connections go in a circle"
                return Check(
                    subject, TARGET_NAME, Result.FAIL, words, CIRCLE, said.seconds
                )
            return Check(subject, TARGET_NAME, Result.PASS, words, "", said.seconds)
        case probe.Reached():
            words = f"{said.address} takes connections"
            return Check(subject, TARGET_PORT, Result.PASS, words, "", said.seconds)
        case probe.TargetTLS():
            return _tls_check(subject, said, now)
        case probe.Failed():
            hop = _HOP_OF[said.step]
            whose = one.tracking_id
            words = f"{said.reason}, tracking id {whose}" if whose else said.reason
            mend = target_step(said.reason, THERE, hop != TARGET_NAME)
            if hop == TARGET_TLS:
                mend = _NO_TLS
            return Check(subject, hop, Result.FAIL, words, mend, said.seconds)


def _within(address: str, network: IPv4Network) -> bool:
    try:
        return ip_address(address) in network
    except ValueError:
        return False  # what a listener says may be anything


def _tls_check(subject: str, said: probe.TargetTLS, now: float) -> Check:
    days = int((said.ends - now) / _DAY)
    names = ", ".join(said.names) or "an address"
    words = f"{said.protocol}, certificate for {names} signed by {said.issuer}"
    if said.wrong:
        mend = "mend the target's certificate, or the name by which apps ask for it"
        seen = f"{words}: {said.wrong}"
        return Check(subject, TARGET_TLS, Result.FAIL, seen, mend, said.seconds)
    words += f", {days} days left"
    if said.untrusted:
        words += "; its authority is not known to the listener, is it to the apps?"
    return Check(subject, TARGET_TLS, Result.PASS, words, "", said.seconds)
