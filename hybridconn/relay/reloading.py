"""
Numbers that change while a relay runs: SIGHUP has its file read again, and how many
there may be of each is taken over.  All else needs a restart.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.application.service import MultiService
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger

from hybridconn.config.mistakes import ConfigError
from hybridconn.config.relay import RelayConfig
from hybridconn.core.limits import Limits
from hybridconn.startup import HangupService

#: The limits that are taken over; the others are in use all over the place.
ADJUSTABLE = (
    "listeners_per_entity",
    "connections_per_namespace",
    "entities_per_namespace",
    "pending_per_entity",
    "pending_per_node",
)


class Reloading(MultiService):
    """
    @param load: reads the file.
    @param config: what it said first.
    @ivar adjust: what to call with changed numbers.
    """

    log = Logger()

    def __init__(
        self,
        load: Callable[[], RelayConfig],
        config: RelayConfig,
        reactor: IReactorFromThreads,
    ) -> None:
        super().__init__()
        self._load = load
        self._config = config
        self.adjust: list[Callable[[RelayConfig], None]] = []
        HangupService(reactor, self.reload).setServiceParent(self)

    def reload(self) -> None:
        """Read it again; what is wrong is logged, and then all stays as it is."""
        try:
            found = self._load()
        except ConfigError as error:
            self.log.error(
                "SIGHUP: the configuration is not taken over: {error}", error=str(error)
            )
            return
        before = self._config
        changes = {name: getattr(found.limits, name) for name in ADJUSTABLE}
        limits: Limits = attrs.evolve(before.limits, **changes)
        after = attrs.evolve(before, limits=limits, plan_limits=found.plan_limits)
        for adjust in self.adjust:
            adjust(after)
        self._config = after
        self.log.info(
            "SIGHUP: took over {what}",
            what=", ".join(_differences(before, after))
            or "nothing, as nothing changed",
        )
        if found != after:
            self.log.warn("SIGHUP: other settings changed too; they need a restart")


def _differences(before: RelayConfig, after: RelayConfig) -> list[str]:
    return [
        f"{attribute.name} = {new}"
        for old_part, new_part in (
            (before.limits, after.limits),
            (before.plan_limits, after.plan_limits),
        )
        for attribute in attrs.fields(type(new_part))
        if (new := getattr(new_part, attribute.name))
        != getattr(old_part, attribute.name)
    ]
