"""Which way of a sender's configuration is meant, by host and port or by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import click

from hybridconn.config.addresses import HostPort
from hybridconn.config.forward import Forward
from hybridconn.config.redirects import Redirect, parse_redirected
from hybridconn.config.sender import SenderConfig
from hybridconn.core.names import fold
from hybridconn.names.plan import NameTable, plan_addresses
from hybridconn.sender.learning import Learned

_One = TypeVar("_One", Redirect, Forward | Redirect)


def by_name(settings: SenderConfig, where: str) -> Forward | Redirect | None:
    """
    The one whose hybrid connection is called so.

    @raise click.ClickException: it has many services.
    """
    every: tuple[Forward | Redirect, ...] = (*settings.redirects, *settings.forwards)
    return called(every, where)


def called(every: Iterable[_One], where: str) -> _One | None:
    """
    The one of C{every} whose hybrid connection is called so.

    @raise click.ClickException: it has many services.
    """
    for one in every:
        if fold(one.connection.require_entity_path()) == fold(where):
            if isinstance(one, Redirect) and one.endpoints:
                known = ", ".join(map(str, one.endpoints))
                raise click.ClickException(
                    f"{where} has many services; say which of {known}."
                )
            return one
    return None


def parse_where(where: str) -> HostPort:
    """
    @raise click.ClickException: it is no host and port.
    """
    try:
        return parse_redirected(where)
    except ValueError as error:
        raise click.ClickException(
            f'no hybrid connection of this configuration is called "{where}", and as a'
            f" host and port it is not known: {error}."
        ) from None


def by_endpoint(
    settings: SenderConfig, learned: Learned, endpoint: HostPort
) -> tuple[HostPort, Redirect]:
    """
    The redirect for C{endpoint}, and its own endpoint, which may be a wildcard.

    @raise click.ClickException: there is none.
    """
    hosts = plan_addresses((one.host for one in learned.endpoints), settings.names)
    host = NameTable(hosts).match(endpoint.host)
    place = HostPort(host or "", endpoint.port)
    found = learned.endpoints.get(place)
    if found is None:
        known = ", ".join(str(one) for one in learned.endpoints)
        if not known:
            names = [one.connection.require_entity_path() for one in settings.forwards]
            known = f"no redirect, but the hybrid connections {', '.join(names)}"
            known = known if names else "nothing"
        more = "".join(f"; {line}" for line in learned.trouble)
        raise click.ClickException(
            f"{endpoint} is not redirected; this configuration has {known}{more}."
        )
    return place, found
