"""
C{python -m bench.load PART}, with the part's settings as JSON on standard input.

Only for C{bench} itself: see L{bench.generators}.
"""

from __future__ import annotations

import sys

from bench.load import apps, events, http_target, management, names, raw, target

PARTS = {
    "target": target.serve,
    "bulk": apps.bulk,
    "check": apps.check,
    "echo": apps.echo,
    "connect": apps.connect,
    "rate": apps.rate,
    "hold": apps.hold,
    "stall": apps.stall,
    "source": raw.source,
    "listener": raw.listener,
    "tls-source": raw.tls_source,
    "tls-sink": raw.tls_sink,
    "name-server": names.serve,
    "queries": names.queries,
    "connect-by-name": names.connect,
    "http-target": http_target.serve,
    "management": management.calls,
    "pages": management.pages,
}


def main(arguments: list[str]) -> int:
    """Play one part; 1 if it failed, with one line that says why."""
    try:
        PARTS[arguments[0]](events.settings())
    except (OSError, EOFError, ValueError) as problem:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
