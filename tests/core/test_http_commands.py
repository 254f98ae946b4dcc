"""Tests of L{hybridconn.core.http_commands}."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.command_json import CommandError
from hybridconn.core.commands import parse_listener_command, parse_relay_command
from hybridconn.core.http_commands import (
    Request,
    RequestOffer,
    Response,
    encode_request,
    encode_request_offer,
    encode_response,
    fits,
    joined,
)

ADDRESS = "wss://relay.test/$hc/hyco?sb-hc-action=request&sb-hc-rendezvous=hush"
REQUEST = Request(
    ADDRESS,
    "4f56f839-4267-4e78-99b4-06a83b18c8b4",
    "POST",
    "/hyco/a?x=1",
    {"Host": "relay.test", "X": "ä"},
    "203.0.113.9",
    51234,
    True,
)


class RequestTests(SynchronousTestCase):
    """C{request}, whole and as an address alone."""

    def test_members(self) -> None:
        """They are those of relay-protocol section 7.2."""
        (name, value), *more = json.loads(encode_request(REQUEST)).items()
        self.assertEqual((name, more), ("request", []))
        self.assertEqual(
            value,
            {
                "address": ADDRESS,
                "id": REQUEST.id,
                "requestTarget": "/hyco/a?x=1",
                "method": "POST",
                "remoteEndpoint": {"address": "203.0.113.9", "port": 51234},
                "requestHeaders": {"Host": "relay.test", "X": "ä"},
                "body": True,
            },
        )

    def test_there_and_back(self) -> None:
        """What was written is read."""
        self.assertEqual(parse_relay_command(encode_request(REQUEST)), REQUEST)
        offer = encode_request_offer(ADDRESS)
        self.assertEqual(json.loads(offer), {"request": {"address": ADDRESS}})
        self.assertEqual(parse_relay_command(offer), RequestOffer(ADDRESS))

    def test_wrong(self) -> None:
        """Without an address, a method or a path it is none."""
        whole = json.loads(encode_request(REQUEST))["request"]
        for change in (
            {"address": "https://relay.test/"},
            {"address": None},
            {"method": ""},
            {"requestTarget": "hyco"},
        ):
            text = json.dumps({"request": whole | change})
            self.assertRaises(CommandError, parse_relay_command, text)
        self.assertRaises(CommandError, parse_relay_command, '{"request": []}')

    def test_no_secret_is_shown(self) -> None:
        """Neither the address's query nor the request's."""
        for shown in (repr(REQUEST), repr(RequestOffer(ADDRESS))):
            self.assertNotIn("hush", shown)
            self.assertNotIn("x=1", shown)

    def test_size(self) -> None:
        """What is over the limit as UTF-8 does not fit."""
        self.assertTrue(fits("x" * 65535))
        self.assertFalse(fits("x" * 65536))
        self.assertFalse(fits("ä" * 40000))


class ResponseTests(SynchronousTestCase):
    """C{response}."""

    def read(self, **members: object) -> object:
        value = {"requestId": "1", **members}
        return parse_listener_command(json.dumps({"response": value}))

    def test_there_and_back(self) -> None:
        """Repeated fields are joined, cookies a list."""
        sent = Response(
            "1",
            404,
            "Gone fishing",
            (("A", "1"), ("a", "2"), ("Set-Cookie", "x=1, 2"), ("set-cookie", "y")),
            True,
        )
        fields = (("A", "1, 2"), ("Set-Cookie", "x=1, 2"), ("Set-Cookie", "y"))
        self.assertEqual(
            parse_listener_command(encode_response(sent)),
            Response("1", 404, "Gone fishing", fields, True),
        )
        self.assertEqual(joined((("Set-Cookie", "x"),)), {"Set-Cookie": "x"})

    def test_sloppy(self) -> None:
        """Numbers as text, text as numbers, and what is left out."""
        self.assertEqual(self.read(), Response("1", 0))
        self.assertEqual(self.read(statusCode="201"), Response("1", 201))
        for status in ("", "2x", None, True, 2.5, [200], "²"):
            self.assertEqual(self.read(statusCode=status), Response("1", 0))
        self.assertEqual(
            self.read(responseHeaders={"A": 1, "B": [True, None, "x"], "C": {}}),
            Response("1", 0, headers=(("A", "1"), ("B", "true"), ("B", "x"))),
        )
        self.assertEqual(self.read(body=1, responseHeaders=[1]), Response("1", 0))

    def test_no_request(self) -> None:
        """Without an id it is none; the words are section 7.4's."""
        for value in ({}, {"requestId": ""}, {"requestId": 5}):
            error = self.assertRaises(
                CommandError, parse_listener_command, json.dumps({"response": value})
            )
            self.assertEqual(str(error), "'response.requestId' is required")
        self.assertRaises(CommandError, parse_listener_command, '{"response": 1}')

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=20,
        )
    )
    def test_anything(self, value: object) -> None:
        """Whatever a peer sends is read or refused, never anything else."""
        for name, parse in (
            ("response", parse_listener_command),
            ("request", parse_relay_command),
        ):
            for shape in (value, {"requestId": "1", "responseHeaders": value}):
                try:
                    parse(json.dumps({name: shape}))
                except CommandError as error:
                    self.assertTrue(str(error))
