"""Looks at all the ways of a sender's configuration, or at one of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.threads import deferToThread

from hybridconn.config.sender import SenderConfig
from hybridconn.diagnosis.answers import LISTENER, TARGET
from hybridconn.diagnosis.check import Check
from hybridconn.diagnosis.far import HOPS as FAR_HOPS
from hybridconn.diagnosis.far import FarSide
from hybridconn.diagnosis.lead import Lead
from hybridconn.diagnosis.local import check_name, check_port
from hybridconn.diagnosis.steps import Steps
from hybridconn.diagnosis.way import RelayWay
from hybridconn.dialer import ReactorDialer
from hybridconn.names.plan import WILDCARD
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.probe import Prober
from hybridconn.web.description_reader import DescriptionReader

Told = Callable[[Check], object]


class Examiner:
    """
    @param told: called with each check as soon as it is done.
    @param timeout: seconds for each hop.
    @param tls_name: for TLS with the target; empty: none; L{None}: the name that apps
        use.
    @param wall: seconds since 1970-01-01 UTC.
    @ivar good: whether nothing is wrong so far.
    """

    def __init__(
        self,
        config: SenderConfig,
        dialer: ReactorDialer,
        reactor: Any,
        told: Told,
        timeout: float,
        tls_name: str | None = "",
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.good = True
        self._config = config
        self._dialer = dialer
        self._reactor = reactor
        self._pass_on = told
        self._timeout = timeout
        self._tls_name = tls_name
        self._wall = wall

    async def examine(self, lead: Lead) -> None:
        """Look at all of one, in the order in which an app goes there."""
        await self.names([lead])
        await self.ports([lead])
        await self.there([lead])

    async def names(self, leads: Sequence[Lead]) -> None:
        """Look whether apps find the services by their names."""
        for lead in leads:
            if lead.endpoint is None or lead.place is None:
                continue
            found = await deferToThread(
                check_name,
                lead.subject,
                lead.endpoint,
                lead.place,
                self._reactor.seconds,
            )
            self._tell(found)

    async def ports(self, leads: Sequence[Lead]) -> None:
        """Look whether the sender listens."""
        for lead in leads:
            if lead.place is not None and lead.place.port:
                self._tell(
                    await deferToThread(
                        check_port, lead.subject, lead.place, udp=lead.udp
                    )
                )

    async def there(self, leads: Sequence[Lead]) -> None:
        """Look at each relay once, and at what is behind it."""
        by_relay: dict[tuple[str, int, bool], list[Lead]] = {}
        for lead in leads:
            by_relay.setdefault(lead.relay, []).append(lead)
        for together in by_relay.values():
            await self._through(together)

    async def again(self, lead: Lead) -> None:
        """Look at the listeners only."""
        if not await self._far_side(lead).again(lead.subject, self._tell):
            self.good = False

    async def _through(self, leads: list[Lead]) -> None:
        first = leads[0].connection
        steps = Steps(f"{first.host}:{first.port}", self._reactor, self._tell)
        way = RelayWay(first, self._dialer, self._reactor, self._timeout, self._wall)
        clock_good = await way.look(steps)
        done: set[tuple[str, ...]] = set()
        for lead in leads:
            key = (lead.entity, *lead.told.values())
            if key in done:
                continue
            done.add(key)
            behind = Steps(lead.subject, self._reactor, self._tell)
            if steps.failed:
                behind.failed = steps.failed
                behind.skip(*FAR_HOPS, LISTENER, TARGET)
            elif lead.vague:
                why = "for one of its names: hybridconn ping NAME:PORT"
                behind.skip(*FAR_HOPS, LISTENER, TARGET, why=why)
            else:
                await self._far_side(lead).look(behind, self._tell, clock_good)

    def _far_side(self, lead: Lead) -> FarSide:
        connector = TunnelConnector(
            lead.connection,
            self._dialer,
            self._reactor,
            timings=self._config.timings,
            data_path=self._config.data_path,
            wall=self._wall,
        )
        reader = DescriptionReader(
            lead.connection, self._dialer, self._reactor, self._wall, self._timeout
        )
        name = self._tls_name
        if name is None:
            name = "" if lead.endpoint is None else lead.endpoint.host
            name = "" if name.startswith(WILDCARD) else name
        prober = Prober(connector, lead.told, name, self._timeout)
        own = self._config.names.network if lead.endpoint is not None else None
        return FarSide(lead.connection, reader, prober, self._wall, lead.http, own)

    def _tell(self, check: Check) -> None:
        self.good = self.good and check.ok
        self._pass_on(check)
