"""
Every number that bounds the relay, with its default (relay-protocol section 8,
reliability-security section 5).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

from attrs import Attribute, field, fields, frozen


def _check(limits: Any, attribute: Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{attribute.name} is not a number")
    least, most = attribute.metadata["least"], attribute.metadata.get("most")
    if not value >= least:
        raise ValueError(f"{attribute.name} is {value}; use {least} or more")
    if most is not None and value > most:
        raise ValueError(f"{attribute.name} is {value}; use {most} or less")
    if value == float("inf"):
        raise ValueError(f"{attribute.name} is infinite")


def _count(
    default: int, help: str, least: int = 1, unit: str = "", most: int | None = None
) -> Any:
    def whole(limits: Any, attribute: Attribute[Any], value: Any) -> None:
        _check(limits, attribute, value)
        if not isinstance(value, int):
            raise ValueError(f"{attribute.name} is not a whole number")

    metadata = {"help": help, "unit": unit, "least": least, "most": most}
    return field(default=default, validator=whole, metadata=metadata)


def _bytes(default: int, help: str, least: int = 1, most: int | None = None) -> Any:
    return _count(default, help, least, "bytes", most)


def _seconds(default: float, help: str, least: float = 0.001) -> Any:
    metadata = {"help": help, "unit": "seconds", "least": least}
    return field(
        default=default, validator=_check, converter=_as_float, metadata=metadata
    )


def _rate(default: float, help: str, unit: str) -> Any:
    metadata = {"help": help, "unit": unit, "least": 0.001}
    return field(
        default=default, validator=_check, converter=_as_float, metadata=metadata
    )


def _as_float(value: Any) -> Any:
    # Only what is an int becomes a float: the validator names anything else.
    return float(value) if type(value) is int else value


def _as_tuple(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


def _networks(limits: Any, attribute: Attribute[Any], value: Any) -> None:
    for text in value:
        try:
            ip_network(text)
        except (ValueError, TypeError):
            raise ValueError(
                f"{attribute.name} has an entry that is no network such as 10.0.0.0/8"
            ) from None


@frozen
class Limits:
    """
    The limits of one relay.  Each field's metadata has C{help} (what it bounds
    and what happens beyond), C{unit}, C{least} and, where there is one, C{most}.

    @raise ValueError: if a value is out of its range; the message begins with
        the field's name.
    """

    # --- until a request is known ---
    tls_handshake_timeout: float = _seconds(
        10.0, "The TLS handshake; then the connection is closed."
    )
    request_head_timeout: float = _seconds(
        10.0, "From the connection to the request's last header; then 408."
    )
    max_request_line_bytes: int = _bytes(
        16384, "Method, target and version; beyond it 414.", least=256
    )
    max_headers_bytes: int = _bytes(
        32768, "All header fields of a request; beyond it 431.", least=1024
    )
    max_header_bytes: int = _bytes(8192, "One header field; beyond it 431.", least=256)
    max_headers: int = _count(100, "Header fields of a request; beyond it 431.", 10)
    max_unauthenticated: int = _count(
        1000,
        "Connections whose request was not authorized yet; from 70 % on new ones"
        " are closed at random, beyond it all.",
    )
    max_unauthenticated_per_address: int = _count(
        100, "The same of one IP address; beyond it new ones are closed."
    )

    # --- how often ---
    handshakes_per_second: float = _rate(
        100.0, "Requests of one IP address in the long run; beyond it 429.", "1/second"
    )
    handshake_burst: int = _count(
        300, "Requests that one IP address may send at once; beyond it 429."
    )
    failed_authentications_per_minute: int = _count(
        300, "Refused tokens of one IP address; beyond it 429 for a minute."
    )
    failure_delay: float = _seconds(
        0.05,
        "How long the answer to a failed handshake is kept back; doubles with"
        " each further one of the same IP address. 0: never.",
        least=0.0,
    )
    max_failure_delay: float = _seconds(
        2.0, "The most that failure_delay grows to.", least=0.0
    )
    exempt_networks: tuple[str, ...] = field(
        default=("127.0.0.0/8", "::1/128"),
        converter=_as_tuple,
        validator=_networks,
        metadata={
            "help": "Networks whose addresses have no rate limit and no delay.",
            "unit": "",
            "least": None,
        },
    )

    # --- how many ---
    listeners_per_entity: int = _count(
        25, "Control channels of one hybrid connection; beyond it 403."
    )
    connections_per_namespace: int = _count(
        5000, "Connections and HTTP requests of one namespace; beyond it 503."
    )
    entities_per_namespace: int = _count(
        10000, "Hybrid connections of one namespace; a store refuses more."
    )
    pending_per_entity: int = _count(
        200, "Senders that wait for a listener of one entity; beyond it 503."
    )
    pending_per_node: int = _count(
        5000, "Senders that wait for a listener, in all; beyond it 503."
    )

    # --- finding a listener ---
    accept_timeout: float = _seconds(
        30.0, "How long a sender waits for a listener; then 404."
    )
    accept_retry: float = _seconds(
        5.0,
        "After this long without an answer another listener is offered the same"
        " sender as well; the first to come has it. 0: never.",
        least=0.0,
    )

    # --- control channels ---
    max_command_bytes: int = _bytes(
        65535,
        "One command, either way; a sender whose command would be longer gets"
        " 431, a listener's longer one closes its channel. Existing listeners take"
        " no more than the default.",
        least=4096,
        most=65535,
    )
    control_queue_bytes: int = _bytes(
        1048576, "Commands not yet taken by a listener; beyond it it is not chosen."
    )
    control_queue_timeout: float = _seconds(
        10.0, "How long that queue may stay full; then the channel is closed, 1011."
    )
    control_close_timeout: float = _seconds(
        5.0, "How long a control channel's closing handshake may take; then dropped."
    )

    # --- every WebSocket ---
    max_frame_bytes: int = _bytes(
        65536,
        "The largest frame that is sent; longer ones are cut. Java clients drop"
        " frames of more than the default.",
        least=125,
        most=65536,
    )
    max_message_bytes: int = _bytes(
        0, "One message; beyond it 1009. 0: no limit.", least=0
    )
    ping_interval: float = _seconds(
        30.0, "A connection from which nothing came for this long is pinged."
    )
    pong_timeout: float = _seconds(
        15.0, "How long an answer to a ping may take; then the connection is dropped."
    )
    control_frames_per_second: float = _rate(
        10.0, "Pings and pongs of one peer in the long run; beyond it 1008.", "1/second"
    )
    control_frames_burst: int = _count(
        100, "Pings and pongs that one peer may send at once; beyond it 1008."
    )
    max_fragments: int = _count(
        1024, "Frames of one message on a control channel; beyond it 1008."
    )

    # --- tunnels ---
    half_close_timeout: float = _seconds(
        60.0,
        "After one side's Close: how long the other may be silent before both"
        " connections are closed.",
    )
    write_stall_timeout: float = _seconds(
        60.0,
        "How long a peer may take nothing while data waits for it; then both"
        " sides are dropped. 0: for ever.",
        least=0.0,
    )

    read_bytes: int = _bytes(
        131072,
        "Read from a connection in one go while one tunnel is busy; more of them"
        " share it. More costs less for each byte and holds more memory.",
        least=16384,
    )

    # --- HTTP requests ---
    response_timeout: float = _seconds(
        60.0, "From an HTTP request's delivery to its response; then 504."
    )
    body_idle_timeout: float = _seconds(
        60.0,
        "Between two parts of a body: a request's then gets 408, a response's is"
        " cut off.",
    )
    body_bytes_per_second: int = _count(
        1024,
        "The least that must come of a request's body in each `body_idle_timeout`,"
        " while it is read; below it 408. 0: none, for clients that send a little now"
        " and then.",
        least=0,
        unit="bytes/second",
    )
    inline_body_bytes: int = _bytes(
        65536,
        "A request with a body of known length up to this goes over the control"
        " channel, any other by a rendezvous. Existing listeners take no more than"
        " the default.",
        least=0,
        most=65536,
    )
    inline_response_bytes: int = _bytes(
        1048576, "A response's body on a control channel; beyond it 502.", least=65536
    )
    inline_requests_per_listener: int = _count(
        100,
        "Requests that a listener may have from its control channel and not yet have"
        " answered; further ones come by a rendezvous each.",
    )

    # --- tokens ---
    clock_skew: float = _seconds(
        0.0, "How long after its expiry a token is still taken.", least=0.0
    )

    # --- logs ---
    log_lines_per_minute: int = _count(
        10,
        "Refusals of one IP address for one and the same cause that are logged one"
        " by one in a minute; the others are counted. 0: all of them.",
        least=0,
    )


def help_of(name: str) -> str:
    """
    What a limit bounds, in one sentence.

    @raise KeyError: if there is no limit of that name.
    """
    for attribute in fields(Limits):
        if attribute.name == name:
            return str(attribute.metadata["help"])
    raise KeyError(name)
