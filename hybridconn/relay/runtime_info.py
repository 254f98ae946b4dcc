"""
An entity's description as the clients of Azure Relay read it: by
C{GET https://HOST/PATH?api-version=2016-07} (relay-protocol section 7.5).  A
connection manager learns its target from the user metadata in it.
"""

from __future__ import annotations

from urllib.parse import parse_qsl
from xml.etree import ElementTree

from hybridconn.core.entities import HybridConnection
from hybridconn.core.http import RequestHead
from hybridconn.core.route import EntityAddress

_ATOM = "http://www.w3.org/2005/Atom"
_CONNECT = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"

#: Only C{type=entry} keeps clients from taking it for an unknown path.
ATOM_TYPE = "application/atom+xml;type=entry;charset=utf-8"


def is_runtime_query(head: RequestHead, address: EntityAddress) -> bool:
    """Whether a plain HTTP request asks the relay itself about an entity."""
    if head.method != "GET":
        return False
    if (head.get("X-PROCESS-AT") or "").lower() == "servicebus":
        return True
    return dict(parse_qsl(address.passed_query)) == {"api-version": "2016-07"}


def render(entity: HybridConnection, authority: str, listeners: int) -> bytes:
    """
    Write the Atom entry.

    @param authority: by which the relay was reached; part of the entry's id.
    @param listeners: how many listen now.
    """
    entry = ElementTree.Element("entry", {"xmlns": _ATOM})
    _add(entry, "id", f"https://{authority}/{entity.path}")
    _add(entry, "title", entity.path)
    content = _add(entry, "content", None)
    content.set("type", "application/xml")
    # The order is that of the data contract: readers skip what is out of order.
    description = ElementTree.SubElement(
        content, "HybridConnectionDescription", {"xmlns": _CONNECT}
    )
    required = entity.requires_client_authorization
    _add(description, "RequiresClientAuthorization", str(required).lower())
    _add(description, "UserMetadata", entity.user_metadata)
    _add(description, "ListenerCount", str(listeners))
    text: bytes = ElementTree.tostring(entry, "utf-8", xml_declaration=True)
    return text


def _add(
    parent: ElementTree.Element, name: str, text: str | None
) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, name)
    child.text = text
    return child
