"""
JSON schemas of what the API takes and gives, for its description (L{openapi
<hybridconn.management.openapi>}): what they are made of, and those of accounts.

Names and limits come from where they are checked.  The unit tests hold every answer
against its schema.
"""

from __future__ import annotations

from typing import Any, Final

from hybridconn.core.management_names import (
    GROUP_NAME,
    PLAN_NAME,
    RULE_NAME,
    SITE_NAME,
    SLOT_NAME,
)
from hybridconn.core.names import MAX_ENTITY_PATH
from hybridconn.management.about import Schema
from hybridconn.management.bodies import (
    MOST_TAG_NAME,
    MOST_TAG_VALUE,
    MOST_TAGS,
    MOST_TEXT,
)

#: Text without NUL, which no database keeps.
_TEXT: Final = r"^[^\u0000]*$"
_GUID: Final = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"


def text(most: int = MOST_TEXT, least: int = 0, **more: Any) -> Schema:
    """A text that is taken."""
    kept = {} if "pattern" in more else {"pattern": _TEXT}
    return {"type": "string", "minLength": least, "maxLength": most, **kept, **more}


def string(description: str = "", **more: Any) -> Schema:
    """A text that is given."""
    return {
        "type": "string",
        **({"description": description} if description else {}),
        **more,
    }


def object_of(*needed: str, **members: Schema) -> Schema:
    """An object; C{needed} are its members that must be there."""
    made: dict[str, Any] = {"type": "object", "properties": members}
    return made | ({"required": list(needed)} if needed else {})


def answer(**members: Schema) -> Schema:
    """All its members are there."""
    return object_of(*members, **members)


def resource(type_: str, properties: Schema, **more: Schema) -> Schema:
    """A resource as it is answered."""
    return answer(
        id=string("The path of the resource"),
        name=string(),
        type={"const": type_},
        properties=properties,
        **more,
    )


def list_of(item: Schema) -> Schema:
    """A list as it is answered; C{nextLink} leads to its next page."""
    return object_of(
        "value",
        value={"type": "array", "items": item},
        nextLink=string("Absolute, with the marker of the next page", format="uri"),
    )


# --- names in paths ---

#: What may stand in a path in the place of a name.
PARAMETERS: Final[dict[str, Schema]] = {
    "sub": string("A subscription's id", pattern=_GUID),
    "rg": string("A resource group", pattern=f"^{GROUP_NAME}$"),
    "ns": string("A namespace", pattern="^[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]$"),
    "hc": string(
        "A hybrid connection; a slash in its name is %2F",
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$",
        maxLength=MAX_ENTITY_PATH,
    ),
    "rule": string("An authorization rule", pattern=f"^{RULE_NAME}$"),
    "plan": string("An App Service plan", pattern=f"^{PLAN_NAME}$"),
    "site": string("An app", pattern=f"^{SITE_NAME}$"),
    "slot": string("A slot of an app", pattern=f"^{SLOT_NAME}$"),
    "id": string("A listener or tunnel; a slash in its name is %2F"),
}

# --- what is common ---

ERROR: Final = answer(
    error=answer(
        code=string("For programs", minLength=1),
        message=string("For people", minLength=1),
        details={"type": "array"},
    )
)
LOCATION: Final = text(least=1, description="Any; it cannot be changed later")
TAGS: Final[Schema] = {
    "type": "object",
    "additionalProperties": text(MOST_TAG_VALUE),
    "propertyNames": text(MOST_TAG_NAME),
    "maxProperties": MOST_TAGS,
}
TIME: Final = string(format="date-time")
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def choice(*words: str) -> Schema:
    """One of some words."""
    return {"enum": list(words)}


# --- accounts ---

SUBSCRIPTION: Final = answer(
    id=string(),
    subscriptionId=string(),
    tenantId=string(),
    displayName=string(),
    state={"const": "Enabled"},
)
TENANT: Final = answer(id=string(), tenantId=string())
GROUP: Final = resource(
    "Microsoft.Resources/resourceGroups",
    answer(provisioningState={"const": "Succeeded"}),
    location=string(),
)
PROVIDER: Final = answer(namespace=string(), registrationState={"const": "Registered"})
ANYTHING: Final[Schema] = {"type": "object"}
EMPTY_LIST: Final = answer(value={"type": "array", "maxItems": 0})
