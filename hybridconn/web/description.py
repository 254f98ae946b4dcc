"""
The description of a hybrid connection that a relay hands out, an Atom entry
(relay-protocol section 7.5, product-behaviour section 2).
"""

from __future__ import annotations

from xml.etree import ElementTree

from attrs import field, frozen

from hybridconn.core.entities import HybridConnection

#: A longer answer is no description.
MOST_BYTES = 1024 * 1024

_ATOM = "{http://www.w3.org/2005/Atom}"
_CONNECT = (
    "{http://schemas.microsoft.com/netservices/2010/10/servicebus/connect}"
    "HybridConnectionDescription"
)


class DescriptionError(Exception):
    """
    The answer is no description; the text says why, in one line.

    @ivar status: of the answer; 0 if there was none.
    """

    def __init__(self, words: str, status: int = 0) -> None:
        super().__init__(words)
        self.status = status


class NotDescribed(DescriptionError):
    """The relay does not know the hybrid connection."""

    def __init__(self, words: str) -> None:
        super().__init__(words, 404)


@frozen
class Description:
    """
    What the relay says of one hybrid connection.

    @ivar listeners: how many listen now; L{None} if that is not said.
    @ivar created: when it was made, and C{updated}: changed, as the relay writes it;
        empty if it does not say.
    @ivar date: when it was read, by the relay's clock, as HTTP writes it.
    """

    user_metadata: str = field(default="", repr=False)
    requires_client_authorization: bool = True
    listeners: int | None = None
    created: str = ""
    updated: str = ""
    date: str = ""

    @property
    def endpoint(self) -> str | None:
        """The C{host:port} in the metadata, if there is one."""
        return HybridConnection("-", user_metadata=self.user_metadata).endpoint


def parse_description(body: bytes, content_type: str = "") -> Description:
    """
    Read the relay's answer.

    @param content_type: of the answer; a I{feed} is how relays say that a path
        is unknown.
    @raise NotDescribed: if it is a feed.
    @raise DescriptionError: if it is not what it should be.
    """
    if len(body) > MOST_BYTES:
        raise DescriptionError("the description is longer than 1 MiB")
    if "type=feed" in content_type.lower().replace(" ", "").replace('"', ""):
        raise NotDescribed("the relay does not know this hybrid connection")
    entry = _parse(body)
    if entry.tag == f"{_ATOM}feed":
        raise NotDescribed("the relay does not know this hybrid connection")
    found = entry.find(f"{_ATOM}content/{_CONNECT}")
    if entry.tag != f"{_ATOM}entry" or found is None:
        raise DescriptionError("the answer describes no hybrid connection")
    values = {child.tag.rpartition("}")[2]: child.text or "" for child in found}
    listeners = values.get("ListenerCount", "").strip()
    required = values.get("RequiresClientAuthorization", "true").strip().lower()
    return Description(
        user_metadata=values.get("UserMetadata", ""),
        requires_client_authorization=required != "false",
        listeners=int(listeners) if _is_count(listeners) else None,
        created=_text(entry, "published") or values.get("CreatedAt", "").strip(),
        updated=_text(entry, "updated") or values.get("UpdatedAt", "").strip(),
    )


def _parse(body: bytes) -> ElementTree.Element:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DescriptionError("the description is not UTF-8") from None
    # Entities are declared in a document type only, and no Atom entry has one:
    # without it nothing can be expanded and nothing fetched.
    if "<!DOCTYPE" in text:
        raise DescriptionError("the description has a document type")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError:
        raise DescriptionError("the description is no XML") from None


def _text(entry: ElementTree.Element, name: str) -> str:
    return (entry.findtext(f"{_ATOM}{name}") or "").strip()


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
