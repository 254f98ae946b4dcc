"""The settings of a hybrid connection as they are in force."""

from __future__ import annotations

from typing import Any

from hybridconn.config.hybrid_connection import HybridConnectionTarget


def settings_view(one: HybridConnectionTarget) -> dict[str, Any]:
    """
    All that its table may say but the connection string, as JSON has it, by the names
    that the table has; L{None}: not set, and there is no default.
    """
    http = one.http
    checked = one.check_interval is not None
    return {
        "name": one.name or None,
        "target": None if one.target is None else str(one.target),
        "targets": [str(target) for target in one.targets],
        "mode": one.mode,
        "ports": [str(port) for port in one.ports],
        "target_timeout": one.target_timeout,
        "target_check_interval": one.check_interval,
        "target_check_timeout": one.check_timeout if checked else None,
        "target_down": ("withdraw" if one.withdraw else "reject") if checked else None,
        "reuse": one.reuse,
        "proxy_protocol": one.proxy_protocol,
        "dial_ahead": one.dial_ahead,
        "answer_probes": one.answer_probes,
        "host": http.host,
        "keep_path": http.keep_path,
        "target_ca_file": http.ca_files[0] if http.ca_files else None,
        "target_insecure": http.insecure,
    }
