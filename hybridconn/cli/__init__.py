"""
The command C{hybridconn}: a first configuration, the relay's next certificate,
tokens, a look at what a configuration would do, and a relay's store.

Exit statuses: 0 done, 1 something is wrong, 2 the command was written wrongly.
"""

from __future__ import annotations

import click

from hybridconn.cli.apply import apply_file, export_file
from hybridconn.cli.check import check
from hybridconn.cli.init import init
from hybridconn.cli.keys import management_token, store_key
from hybridconn.cli.renew import renew
from hybridconn.cli.token import token


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """
    Set up hybrid connections.

    The programs themselves are twistd hcrelay, twistd hclistener and twistd
    hcsender.
    """


for _command in (
    init,
    renew,
    token,
    check,
    apply_file,
    export_file,
    store_key,
    management_token,
):
    main.add_command(_command)

__all__ = ["main"]
