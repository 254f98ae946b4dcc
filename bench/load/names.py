"""Queries of a name server, and what is to be measured of the answers."""

from __future__ import annotations

import socket
import struct
import time

from bench.load.apps import connections, dial, greeted
from bench.load.events import Settings, say, wait_for_go
from bench.load.target import LOOPBACK

_HEADER = struct.Struct("!6H")
_ASKED, _ANSWERED = 0x0100, 0x8180
_A_IN = struct.pack("!2H", 1, 1)
#: A pointer to the question's name, A, IN, a minute, 192.0.2.1.
_RECORD = b"\xc0\x0c" + struct.pack("!2HIH4B", 1, 1, 60, 4, 192, 0, 2, 1)
_MOST = 4096
#: Seconds after which a query is taken for lost, and asked again.
_PATIENCE = 2.0


def serve(settings: Settings) -> None:
    """A name server to which every name is 192.0.2.1; it does nothing more."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind((LOOPBACK, 0))
        say("ready", port=door.getsockname()[1])
        while True:
            packet, who = door.recvfrom(_MOST)
            door.sendto(reply(packet), who)


def reply(packet: bytes) -> bytes:
    """To a query for an IPv4 address."""
    (number,) = struct.unpack_from("!H", packet)
    asked = packet[_HEADER.size :].partition(_A_IN)[0] + _A_IN
    return _HEADER.pack(number, _ANSWERED, 1, 1, 0, 0) + asked + _RECORD


def query(number: int, name: str) -> bytes:
    """One for the IPv4 address of C{name}."""
    labels = b"".join(bytes([len(one)]) + one.encode() for one in name.split("."))
    return _HEADER.pack(number, _ASKED, 1, 0, 0, 0) + labels + b"\0" + _A_IN


def address_of(packet: bytes) -> str:
    """
    @raise ValueError: there is none in an answer.
    """
    if not _HEADER.unpack_from(packet)[3]:
        raise ValueError("a name has no address")
    return socket.inet_ntoa(packet[-4:])


def queries(settings: Settings) -> None:
    """
    As many queries as go in C{seconds}, C{at_once} of them on their way.

    C{name} may hold C{{}}, for a number that is another one each time.
    """
    name = settings["name"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.connect((LOOPBACK, settings["port"]))
        door.settimeout(_PATIENCE)
        door.send(query(0, name.format("first")))
        address_of(door.recv(_MOST))
        say("ready")
        wait_for_go()
        began = time.monotonic()
        deadline = began + settings["seconds"]
        asked = answered = lost = 0
        while True:
            late = time.monotonic() > deadline
            while not late and asked - answered - lost < settings["at_once"]:
                asked += 1
                door.send(query(asked & 0xFFFF, name.format(asked)))
            if late:
                break
            try:
                address_of(door.recv(_MOST))
            except TimeoutError:
                lost = asked - answered
            else:
                answered += 1
        seconds = time.monotonic() - began
        say("done", count=answered, lost=lost, seconds=seconds)


def connect(settings: Settings) -> None:
    """As C{connect}, to a name that is looked up each time at the server C{dns}."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.connect((LOOPBACK, settings["dns"]))
        door.settimeout(_PATIENCE)

        def opened() -> socket.socket:
            door.send(query(1, settings["name"]))
            at = address_of(door.recv(_MOST))
            return greeted(dial(settings["port"], at))

        connections(settings, opened)
