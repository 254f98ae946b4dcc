"""Descriptions of hybrid connections, read from Atom."""

from __future__ import annotations

import contextlib

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.entities import HybridConnection, endpoint_metadata
from hybridconn.relay.runtime_info import ATOM_TYPE, render
from hybridconn.web.description import (
    MOST_BYTES,
    Description,
    DescriptionError,
    NotDescribed,
    parse_description,
)

AZURE = """<?xml version="1.0" encoding="utf-8"?>
<entry xmlns="http://www.w3.org/2005/Atom">
  <id>https://contoso.example/db?api-version=2016-07</id>
  <title type="text">db</title>
  <published>2026-01-02T03:04:05Z</published>
  <updated>2026-01-02T03:04:06Z</updated>
  <author><name>contoso</name></author>
  <link rel="self" href="https://contoso.example/db?api-version=2016-07"/>
  <content type="application/xml">
    <HybridConnectionDescription
        xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
        xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
      <RequiresClientAuthorization>false</RequiresClientAuthorization>
      <CreatedAt>2026-01-02T03:04:05Z</CreatedAt>
      <UpdatedAt i:nil="true"/>
      <ListenerCount>2</ListenerCount>
      <UserMetadata>[{"key":"endpoint","value":"db.corp:1433"}]</UserMetadata>
    </HybridConnectionDescription>
  </content>
</entry>"""


class DescriptionTests(SynchronousTestCase):
    """Relays' answers."""

    def refused(self, body: bytes, content_type: str = "") -> str:
        error = self.assertRaises(
            DescriptionError, parse_description, body, content_type
        )
        return str(error)

    def test_whole(self) -> None:
        """An entry as Azure writes it, with fields that we have no use for."""
        found = parse_description(AZURE.encode(), "application/atom+xml; type=entry")
        self.assertEqual(found.endpoint, "db.corp:1433")
        self.assertEqual(found.listeners, 2)
        self.assertFalse(found.requires_client_authorization)
        self.assertEqual(found.created, "2026-01-02T03:04:05Z")
        self.assertNotIn("db.corp", repr(found))

    def test_ours(self) -> None:
        """What our relay writes can be read."""
        entity = HybridConnection("db", user_metadata=endpoint_metadata("[::1]:5"))
        found = parse_description(render(entity, "relay.test", 3), ATOM_TYPE)
        self.assertEqual(found, Description(entity.user_metadata, True, 3))
        self.assertEqual(found.endpoint, "[::1]:5")

    def test_little(self) -> None:
        """Fields that are missing have their defaults."""
        body = AZURE
        for name in ("UserMetadata", "ListenerCount", "RequiresClientAuthorization"):
            body = body.replace(f"<{name}>", "<Other>").replace(
                f"</{name}>", "</Other>"
            )
        found = parse_description(body.encode())
        self.assertEqual(evolve(found, created="", updated=""), Description())
        odd = AZURE.replace(">2<", ">many<")
        self.assertIsNone(parse_description(odd.encode()).listeners)

    def test_feed(self) -> None:
        """A feed is how relays say that a path is unknown."""
        feed = b'<feed xmlns="http://www.w3.org/2005/Atom"/>'
        for kind in ("", 'application/atom+xml; type="feed"', "x; TYPE=feed"):
            with self.assertRaises(NotDescribed):
                parse_description(feed, kind)
        with self.assertRaises(NotDescribed):
            parse_description(b"", "application/atom+xml;type=feed;charset=utf-8")

    def test_document_type(self) -> None:
        """Nothing that could expand or fetch an entity is read at all."""
        bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
        self.assertIn("document type", self.refused(bomb))
        self.assertIn("no XML", self.refused(b"<x>&undeclared;</x>"))

    def test_broken(self) -> None:
        """What is no description is refused in words."""
        self.assertIn("no XML", self.refused(b"<html><body>"))
        self.assertIn("describes no", self.refused(b"<html/>"))
        self.assertIn("UTF-8", self.refused(b"\xff\xfe<\0"))
        self.assertIn("1 MiB", self.refused(b" " * (MOST_BYTES + 1)))

    @given(st.binary() | st.text().map(str.encode))
    def test_anything(self, body: bytes) -> None:
        """Nothing else than its own error comes of any bytes."""
        with contextlib.suppress(DescriptionError):
            parse_description(body)
