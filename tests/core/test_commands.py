"""Tests of L{hybridconn.core.commands}."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.command_json import MAX_COMMAND_BYTES, CommandError
from hybridconn.core.commands import (
    Accept,
    RenewToken,
    Unknown,
    encode_accept,
    encode_renew_token,
    parse_listener_command,
    parse_relay_command,
)
from hybridconn.core.entities import Secret
from hybridconn.core.refusals import HeadersTooLarge

ACCEPT = Accept(
    address="wss://relay.example/$hc/hyco?x=1&sb-hc-action=accept&sb-hc-rendezvous=hush",
    id="4f56f839-4267-4e78-99b4-06a83b18c8b4_G0",
    connect_headers={"Sec-WebSocket-Key": "dGhl", "Cookie": "hush", "X": "ä\u2028"},
    remote_address="203.0.113.9",
    remote_port=51234,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
)
TEXTS = (
    JSON.map(json.dumps)
    | st.dictionaries(st.sampled_from(["renewToken", "accept", "x"]), JSON).map(
        json.dumps
    )
    | st.text()
)


class AcceptTests(SynchronousTestCase):
    """The C{accept} command (relay-protocol section 5.1)."""

    def test_form(self) -> None:
        """One object with one member; all that clients require is there."""
        command = json.loads(encode_accept(ACCEPT))
        self.assertEqual(
            command,
            {
                "accept": {
                    "address": ACCEPT.address,
                    "id": ACCEPT.id,
                    "connectHeaders": dict(ACCEPT.connect_headers),
                    "remoteEndpoint": {"address": "203.0.113.9", "port": 51234},
                }
            },
        )

    def test_round_trip(self) -> None:
        """What the relay writes the listener reads."""
        self.assertEqual(parse_relay_command(encode_accept(ACCEPT)), ACCEPT)

    @given(st.dictionaries(st.text(st.characters(max_codepoint=255)), st.text()))
    def test_any_header(self, headers: dict[str, str]) -> None:
        """Whatever the headers hold comes through."""
        accept = Accept("wss://h/$hc/a?x", "i", headers, "::1", 1)
        self.assertEqual(parse_relay_command(encode_accept(accept)), accept)

    def test_too_large(self) -> None:
        """A command that no listener could read is the sender's mistake: 431."""
        for headers in ({"A": "x" * 65536}, {"A": "ä" * 33000}, {"A": '"' * 33000}):
            accept = Accept("wss://h/$hc/a?x", "i", headers)
            refusal = self.assertRaises(HeadersTooLarge, encode_accept, accept)
            self.assertEqual(refusal.status, 431)
        room = MAX_COMMAND_BYTES - len(
            encode_accept(Accept("ws://h/a", "i", {"A": ""}))
        )
        fits = encode_accept(Accept("ws://h/a", "i", {"A": "x" * room}))
        self.assertEqual(len(fits), 65535)
        accept = Accept("ws://h/a", "i", {"A": "x" * (room + 1)})
        self.assertRaises(HeadersTooLarge, encode_accept, accept)

    def test_tolerant(self) -> None:
        """A listener takes what another relay leaves out or writes otherwise."""
        accept = parse_relay_command(
            b'{"accept":{"address":"WSS://h/a?b","connectHeaders":'
            b'{"A":1,"B":null,"C":true},"remoteEndpoint":{"port":"x"},"new":[]}}'
        )
        self.assertEqual(
            accept, Accept("WSS://h/a?b", "", {"A": "1", "B": "", "C": "true"}, "", 0)
        )

    def test_controls(self) -> None:
        """What a relay says of a sender is one line that no terminal obeys."""
        accept = parse_relay_command(
            r'{"accept":{"address":"wss://h/a","id":"a\u001b[2Jb\n",'
            r'"remoteEndpoint":{"address":"1.2.3.4\u009b"}}}'
        )
        self.assertEqual(accept, Accept("wss://h/a", "a [2Jb", {}, "1.2.3.4", 0))
        self.assertEqual(parse_relay_command(r'{"a\u001bb": {}}'), Unknown("a b"))

    def test_no_address(self) -> None:
        """Without the address of a WebSocket it is no accept."""
        values: list[Any] = [
            {},
            [],
            "x",
            {"address": 5},
            {"address": "https://h/a"},
            {"address": "wss://"},
            {"address": "wss://h/a b"},
            {"address": "wss://h/\r\n"},
        ]
        for value in values:
            text = json.dumps({"accept": value})
            error = self.assertRaises(CommandError, parse_relay_command, text)
            self.assertFalse(error.closes)

    def test_header(self) -> None:
        """Connect headers are found by their name in any case."""
        self.assertEqual(ACCEPT.header("cookie"), "hush")
        self.assertIsNone(ACCEPT.header("Origin"))

    def test_repr(self) -> None:
        """The repr shows neither the one-time address nor the headers."""
        self.assertNotIn("hush", repr(ACCEPT))
        self.assertIn("/$hc/hyco", repr(ACCEPT))


class RenewTokenTests(SynchronousTestCase):
    """The C{renewToken} command (relay-protocol section 5.3)."""

    def test_form(self) -> None:
        """The token is plain, not encoded once more."""
        text = encode_renew_token(Secret("SharedAccessSignature sr=a%2Fb&sig=x"))
        self.assertEqual(
            text, '{"renewToken":{"token":"SharedAccessSignature sr=a%2Fb&sig=x"}}'
        )
        self.assertEqual(
            parse_listener_command(text),
            RenewToken(Secret("SharedAccessSignature sr=a%2Fb&sig=x")),
        )

    def test_wrong_content(self) -> None:
        """Without a token the channel is to be closed (T14)."""
        values: list[Any] = [{}, None, "x", [], {"token": ""}, {"token": 5}, {"x": "y"}]
        for value in values:
            text = json.dumps({"renewToken": value})
            error = self.assertRaises(CommandError, parse_listener_command, text)
            self.assertTrue(error.closes)
            self.assertEqual(str(error), "'renewToken.token' is required")

    def test_repr(self) -> None:
        """The repr does not show the token."""
        self.assertNotIn("hush", repr(RenewToken(Secret("hush"))))


class AbuseTests(SynchronousTestCase):
    """Text that is no command (T14)."""

    def test_unknown(self) -> None:
        """An unknown command is named, to be ignored."""
        for parse in (parse_listener_command, parse_relay_command):
            self.assertEqual(parse('{"sing":{"song":1}}'), Unknown("sing"))
            self.assertEqual(parse(json.dumps({"x" * 99: 1})), Unknown("x" * 64))

    def test_not_commands(self) -> None:
        """What is not an object with one member, once, is refused and ignored."""
        for text in (
            "",
            " ",
            "null",
            "1",
            '"renewToken"',
            "[]",
            "{}",
            '[{"renewToken":{"token":"x"}}]',
            '{"renewToken":{"token":"x"},"accept":{}}',
            '{"renewToken":{"token":"x"},"renewToken":{"token":"x"}}',
            '{"renewToken":{"token":"x","token":"y"}}',
            '{"renewToken":{"token":"x"}',
            '{"renewToken":{"token":"x"}} {}',
            "{'renewToken':{}}",
            '{"renewToken":NaN}',
            '{"x":-Infinity}',
            '{"x":' + "1" * 5000 + "}",
            "\ufeff" + '{"x":1}',
            "\ud800",
            b'{"x":"\xff"}',
            "[" * 50_000,
            '{"x":' * 10_000,
            '{"x":' + "[" * 16 + "]" * 16 + "}",
        ):
            for parse in (parse_listener_command, parse_relay_command):
                error = self.assertRaises(CommandError, parse, text)
                self.assertFalse(error.closes, text[:50])

    def test_depth(self) -> None:
        """Sixteen levels are enough."""
        text = '{"x":' + "[" * 15 + "]" * 15 + "}"
        self.assertEqual(parse_listener_command(text), Unknown("x"))

    def test_length(self) -> None:
        """A command of 64 KiB is too long, counted in octets."""
        self.assertEqual(
            parse_listener_command('{"x":"' + "y" * 65527 + '"}'), Unknown("x")
        )
        for filling in ("y" * 65528, "ä" * 32765):
            error = self.assertRaises(
                CommandError, parse_listener_command, '{"x":"' + filling + '"}'
            )
            self.assertTrue(error.closes)

    @given(TEXTS)
    def test_anything(self, text: str) -> None:
        """Whatever comes: a command, or a CommandError."""
        for parse in (parse_listener_command, parse_relay_command):
            try:
                command = parse(text)
            except CommandError:
                continue
            self.assertIsInstance(command, Accept | RenewToken | Unknown)
