"""C{python -m hybridconn}: the same as the command C{hybridconn}."""

from __future__ import annotations

from hybridconn.cli import main

if __name__ == "__main__":
    main(prog_name="hybridconn")
