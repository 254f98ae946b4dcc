"""Tests of L{hybridconn.core.connection_string}."""

from __future__ import annotations

import contextlib
import string

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.connection_string import ConnectionString, ConnectionStringError
from hybridconn.core.entities import Secret
from hybridconn.core.sas import SasToken, sign

KEY = "c2FtcGxlLWtleS1mb3ItdGhlLXNwZWMtMDEyMzQ1Njc="
TEXT = (
    "Endpoint=sb://relay.example.net/;SharedAccessKeyName=RootKey;"
    f"SharedAccessKey={KEY};EntityPath=hyco"
)
PARSED = ConnectionString(
    "relay.example.net", 443, "hyco", key_name="RootKey", key=Secret(KEY)
)
ENTITY_PATHS = st.from_regex(
    r"[a-z0-9]([a-zA-Z0-9_-]{0,8}[a-z0-9](/[a-z0-9])?)?", fullmatch=True
)
PRINTABLE = st.text(
    st.sampled_from(string.ascii_letters + string.digits + "+/=_-. ä"), min_size=1
).filter(lambda text: text == text.strip())


@st.composite
def connection_strings(draw: st.DrawFn) -> ConnectionString:
    """Any connection string: with a rule's key, with a ready token, or neither."""
    host = draw(st.sampled_from(["relay.example.net", "127.0.0.1", "::1", "a-b.c_d"]))
    connection = ConnectionString(
        host,
        draw(st.integers(1, 65535)),
        draw(st.none() | ENTITY_PATHS),
        operation_timeout=draw(
            st.sampled_from([60.0, 1.0, 0.5, 90.25, 86399.0, 86400.0, 200000.0])
        ),
    )
    secret = Secret(draw(PRINTABLE))
    kind = draw(st.sampled_from(["rule", "token", "open"]))
    if kind == "rule":
        return evolve(connection, key_name=draw(PRINTABLE), key=secret)
    return evolve(connection, signature=secret) if kind == "token" else connection


class ParseTests(SynchronousTestCase):
    """Reading connection strings (relay-protocol 3.5, product-behaviour 3)."""

    def test_usual(self) -> None:
        """The string that Azure and we print is read."""
        self.assertEqual(ConnectionString.parse(TEXT), PARSED)

    def test_tolerant(self) -> None:
        """Order, case, spaces, line breaks, quotes and a last semicolon are free."""
        for text in (
            TEXT + ";",
            f"  {TEXT}\n",
            f'"{TEXT}"',
            f"' {TEXT}; '\r\n",
            TEXT.replace(";", ";\r\n  "),
            TEXT.replace("SharedAccess", "Shared\r\nAccess"),
            TEXT.replace("example.net/", "example.net"),
            TEXT.replace("example.net/", "example.net:443/"),
            TEXT.replace("sb://relay", "SB://RELAY"),
            TEXT.replace("sb://", "https://"),
            TEXT.replace("EntityPath=", "entitypath = /"),
            ";".join(reversed(TEXT.split(";"))),
            TEXT.replace("Endpoint", "ENDPOINT").replace(
                "SharedAccessKey", "sharedaccesskey"
            ),
        ):
            self.assertEqual(ConnectionString.parse(text), PARSED, text)

    def test_port(self) -> None:
        """A relay of one's own may be on another port, or have an IPv6 address."""
        parsed = ConnectionString.parse("Endpoint=sb://[::1]:8443/")
        self.assertEqual((parsed.host, parsed.port), ("::1", 8443))
        self.assertEqual(parsed.authority, "[::1]:8443")

    def test_authority(self) -> None:
        """A URL leaves out the port that its scheme has anyway."""
        self.assertEqual(PARSED.authority, "relay.example.net")
        plain = evolve(PARSED, secure=False)
        self.assertEqual(plain.authority, "relay.example.net:443")
        self.assertEqual(evolve(plain, port=80).authority, "relay.example.net")

    def test_ready_token(self) -> None:
        """A ready token stands in place of name and key."""
        parsed = ConnectionString.parse(
            "Endpoint=sb://h/;SharedAccessSignature=SharedAccessSignature sr=a&sig=b%3d"
        )
        self.assertEqual(
            parsed.signature, Secret("SharedAccessSignature sr=a&sig=b%3d")
        )
        self.assertEqual(parsed.token(0), parsed.signature)

    def test_timeouts(self) -> None:
        """The timeout is read as .NET and as Java write it."""
        for text, seconds in (
            ("00:01:10", 70.0),
            ("0:0:5", 5.0),
            ("00:00:00.5", 0.5),
            ("1.02:03:04", 93784.0),
            ("90", 90.0),
            ("1.5", 1.5),
        ):
            parsed = ConnectionString.parse(f"Endpoint=sb://h;OperationTimeout={text}")
            self.assertEqual(parsed.operation_timeout, seconds, text)
        self.assertEqual(PARSED.operation_timeout, 60.0)

    def test_mistakes(self) -> None:
        """A mistake is named by its part, and no value is repeated."""
        name, key, token = (
            "SharedAccessKeyName=hush",
            "SharedAccessKey=hush",
            "SharedAccessSignature=hush",
        )
        for text, beginning in (
            ("", "it is empty"),
            (" ; ;", "it is empty"),
            ("hush", "part 1 is not one of Endpoint,"),
            ("Endpoint=sb://h;hush", "part 2 is not one of Endpoint,"),
            ("Endpoint=sb://h;hush=x", "part 2 is not one of Endpoint,"),
            ("EntityPath=a", "Endpoint is missing"),
            ("Endpoint=", "Endpoint is empty"),
            ("Endpoint=hush", "Endpoint is not of the form sb://host/"),
            ("Endpoint=amqp://hush/", "Endpoint is not of the form sb://host/"),
            ("Endpoint=sb:///", "Endpoint is wrong: "),
            ("Endpoint=sb://u@hush/", "Endpoint is wrong: "),
            ("Endpoint=sb://hush:0/", "Endpoint is wrong: the port"),
            ("Endpoint=sb://h/hush", "Endpoint has a path: "),
            ("Endpoint=sb://h/?hush", "Endpoint has a path: "),
            ("Endpoint=sb://h;Endpoint=sb://hush", "Endpoint is there twice"),
            ("Endpoint=sb://h;EntityPath=hush me", "EntityPath is wrong: character 5"),
            ("Endpoint=sb://h;EntityPath=/", "EntityPath is wrong: it is empty"),
            (f"Endpoint=sb://h;{name}", "SharedAccessKey is missing"),
            (f"Endpoint=sb://h;{key}", "SharedAccessKeyName is missing"),
            (f"Endpoint=sb://h;{name};SharedAccessKey=", "SharedAccessKey is empty"),
            (f"Endpoint=sb://h;{name};{key};{token}", "SharedAccessSignature cannot"),
            (f"Endpoint=sb://h;{name};{token}", "SharedAccessSignature cannot"),
            (
                f"Endpoint=sb://h;{name};{key}{'x' * 256}",
                "SharedAccessKey has over 256",
            ),
            (f"Endpoint=sb://h;{name};{key}\0", "SharedAccessKey has a control"),
            (
                "Endpoint=sb://h;Authentication=Managed Identity",
                "Authentication is not",
            ),
            ("Endpoint=sb://h;OperationTimeout=hush", "OperationTimeout is not of"),
            ("Endpoint=sb://h;OperationTimeout=0", "OperationTimeout is not above"),
        ):
            error = self.assertRaises(
                ConnectionStringError, ConnectionString.parse, text
            )
            self.assertTrue(str(error).startswith(beginning), (text, str(error)))
            self.assertNotIn("hush", str(error))
            self.assertNotIn("\n", str(error))

    @given(
        st.text(string.printable)
        | st.lists(st.sampled_from(TEXT.split(";"))).map(";".join)
    )
    def test_anything(self, text: str) -> None:
        """Whatever is pasted: a connection string, or a ConnectionStringError."""
        with contextlib.suppress(ConnectionStringError):
            ConnectionString.parse(text)


class RenderTests(SynchronousTestCase):
    """Writing connection strings."""

    def test_order(self) -> None:
        """The order is the one that Azure's own managers want, with the slash."""
        self.assertEqual(PARSED.render(), TEXT)
        self.assertEqual(
            ConnectionString("::1", 8443).render(), "Endpoint=sb://[::1]:8443/"
        )

    @given(connection_strings())
    def test_round_trip(self, connection: ConnectionString) -> None:
        """What is written is read again."""
        self.assertEqual(ConnectionString.parse(connection.render()), connection)

    def test_cannot_be_written(self) -> None:
        """A key that would break the string apart is refused, unseen."""
        for key in ("hush;x=y", "hush\n"):
            error = self.assertRaises(
                ValueError, evolve(PARSED, key=Secret(key)).render
            )
            self.assertNotIn("hush", str(error))

    def test_masked(self) -> None:
        """Neither repr nor str show key or token; the rule's name is shown."""
        for secret in (PARSED, ConnectionString("h", signature=Secret(KEY))):
            for shown in (repr(secret), str(secret), f"{secret}"):
                self.assertNotIn(KEY, shown)
        self.assertIn("RootKey", repr(PARSED))


class UseTests(SynchronousTestCase):
    """What a listener or sender makes of its string."""

    def test_token(self) -> None:
        """Its tokens are for the entity, without port, signed by the rule."""
        token = evolve(PARSED, port=8443).token(1_900_000_000.9)
        expected = sign("http://relay.example.net/hyco", "RootKey", KEY, 1_900_000_000)
        self.assertEqual(token, Secret(expected))
        self.assertEqual(
            SasToken.parse(expected).audience(), ("relay.example.net", ("hyco",))
        )

    def test_no_credentials(self) -> None:
        """A sender to an open entity needs no key and makes no token."""
        self.assertIsNone(
            ConnectionString.parse("Endpoint=sb://h;EntityPath=a").token(1)
        )

    def test_entity_path(self) -> None:
        """The string of a namespace is told apart with a hint."""
        self.assertEqual(PARSED.require_entity_path(), "hyco")
        error = self.assertRaises(
            ConnectionStringError, evolve(PARSED, entity_path=None).require_entity_path
        )
        self.assertEqual(
            str(error),
            "EntityPath is missing: this is a namespace string, add ;EntityPath=<name>",
        )
