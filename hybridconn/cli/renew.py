"""
C{hybridconn renew}: the next certificate of a relay that has a private authority.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from hybridconn.certificates import Issued, expiry, issue, names_of
from hybridconn.cli.files import NewFile, write_files


@click.command(short_help="Make the next certificate of init's authority.")
@click.argument("folder", metavar="DIR")
def renew(folder: str) -> None:
    """
    Replace relay.pem and relay.key in DIR, the folder that hybridconn init wrote.

    The new certificate is good for a year and for the same names. A relay that
    runs takes it over by itself; listeners and senders need nothing, as the
    authority, ca.pem, stays.
    """
    place = Path(folder)
    old = _read(place, "relay.pem")
    authority = Issued(_read(place, "ca.pem"), _read(place, "ca.key"))
    try:
        names = names_of(old)
    except ValueError as error:
        raise click.ClickException(f"{place / 'relay.pem'} {error}.") from None
    try:
        made = issue(authority, names, datetime.now(UTC))
    except ValueError as error:
        raise click.ClickException(
            f"{place / 'ca.pem'} and {place / 'ca.key'} {error}."
        ) from None
    write_files(
        place,
        {
            "relay.key": NewFile(made.key),
            "relay.pem": NewFile(made.certificate, private=False),
        },
    )
    click.echo(
        f"{place / 'relay.pem'} is good until {expiry(made.certificate):%Y-%m-%d} for "
        f"{', '.join(names_of(made.certificate))}."
    )


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise click.ClickException(
            f"{folder / name} cannot be read: {error.strerror}; it is one of the files "
            "that hybridconn init writes, unless it was given a certificate."
        ) from None
