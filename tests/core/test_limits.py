"""Tests of L{hybridconn.core.limits}."""

from __future__ import annotations

from typing import Any

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.limits import Limits, help_of


class LimitsTests(SynchronousTestCase):
    """The relay's limits."""

    def test_protocol_defaults(self) -> None:
        """The numbers that the protocol promises are the defaults."""
        limits = Limits()
        self.assertEqual(
            (
                limits.listeners_per_entity,
                limits.connections_per_namespace,
                limits.entities_per_namespace,
                limits.max_headers_bytes,
                limits.accept_timeout,
                limits.half_close_timeout,
                limits.max_frame_bytes,
            ),
            (25, 5000, 10000, 32768, 30.0, 60.0, 65536),
        )
        self.assertLess(limits.max_command_bytes, 65536)

    def test_each_is_explained(self) -> None:
        """Every limit has a sentence of help and a unit."""
        for attribute in fields(Limits):
            self.assertRegex(attribute.metadata["help"], r"\w.*\.$")
            self.assertIn("unit", attribute.metadata)
            self.assertEqual(help_of(attribute.name), attribute.metadata["help"])
        self.assertRaises(KeyError, help_of, "nonsense")

    def test_whole_seconds(self) -> None:
        """A whole number is good for seconds and becomes a float."""
        value = Limits(accept_timeout=10).accept_timeout
        self.assertEqual(repr(value), "10.0")

    def test_out_of_range(self) -> None:
        """A value out of range is refused by a message that begins with its name."""
        wrong: list[dict[str, Any]] = [
            {"accept_timeout": 0.0},
            {"accept_timeout": -1},
            {"accept_timeout": float("nan")},
            {"accept_timeout": float("inf")},
            {"accept_timeout": True},
            {"accept_timeout": "10"},
            {"listeners_per_entity": 0},
            {"listeners_per_entity": 2.5},
            {"max_command_bytes": 100},
            {"max_command_bytes": 65536},
            {"max_frame_bytes": 65537},
            {"exempt_networks": ("10.0.0.0/33",)},
            {"exempt_networks": "10.0.0.0/8"},
        ]
        for values in wrong:
            (name,) = values
            error = self.assertRaises(ValueError, Limits, **values)
            self.assertTrue(str(error).startswith(name), error)

    def test_what_clients_take(self) -> None:
        """Beyond the buffers of existing clients the message says what to use."""
        for name, most in (("max_command_bytes", 65535), ("max_frame_bytes", 65536)):
            good: dict[str, Any] = {name: most}
            over: dict[str, Any] = {name: most + 1}
            Limits(**good)
            error = self.assertRaises(ValueError, Limits, **over)
            self.assertEqual(str(error), f"{name} is {most + 1}; use {most} or less")

    def test_zero_switches_off(self) -> None:
        """Where zero means never or no limit, zero is taken."""
        Limits(
            accept_retry=0,
            max_message_bytes=0,
            write_stall_timeout=0,
            failure_delay=0,
            log_lines_per_minute=0,
        )
