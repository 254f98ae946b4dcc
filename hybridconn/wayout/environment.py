"""
What the environment says of proxies, as most programs read it: C{https_proxy} for
connections with TLS, C{http_proxy} for others, C{all_proxy} for both, C{no_proxy}
for exceptions.  Each may be in upper case too; the lower case wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from hybridconn.wayout.bypass import Bypass, parse_rules
from hybridconn.wayout.proxy import Proxy, parse_proxy
from hybridconn.wayout.way import WayOut


class BadEnvironment(ValueError):
    """A variable cannot be used; the text names it, and shows no password."""


def from_environment(environ: Mapping[str, str], base: WayOut | None = None) -> WayOut:
    """
    Take proxies and exceptions from the environment.  This machine itself is never
    reached by such a proxy.

    @param base: everything else.
    @raise BadEnvironment: a variable cannot be used.
    """
    _, exceptions = _value(environ, "no_proxy")
    return attrs.evolve(
        base or WayOut(),
        proxy=_proxy(environ, "https_proxy", "all_proxy"),
        plain_proxy=_proxy(environ, "http_proxy", "all_proxy"),
        bypass=Bypass(
            parse_rules(one for one in re.split(r"[\s,]+", exceptions) if one), True
        ),
    )


def _proxy(environ: Mapping[str, str], *names: str) -> Proxy | None:
    for name in names:
        variable, text = _value(environ, name)
        if text:
            try:
                return parse_proxy(text, variable)
            except ValueError as error:
                raise BadEnvironment(f"{variable} is no proxy: {error}") from None
    return None


def _value(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    for variable in (name, name.upper()):
        text = environ.get(variable, "").strip()
        if text:
            return variable, text
    return name, ""
