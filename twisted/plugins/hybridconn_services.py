"""
The three programs, as C{twistd} lists them.

Every C{twistd} run on the machine reads this file, whoever's program it starts:
it imports nothing of ours, so that it is cheap and cannot fail.
"""

from __future__ import annotations

from twisted.application.service import ServiceMaker

hcrelay = ServiceMaker(
    "Hybrid connections relay",
    "hybridconn.relay.tap",
    "Run a relay for hybrid connections.",
    "hcrelay",
)

hclistener = ServiceMaker(
    "Hybrid connections listener",
    "hybridconn.listener.tap",
    "Serve TCP targets through a relay.",
    "hclistener",
)

hcsender = ServiceMaker(
    "Hybrid connections sender",
    "hybridconn.sender.tap",
    "Forward local ports through a relay.",
    "hcsender",
)
