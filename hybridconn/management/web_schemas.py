"""Schemas of Microsoft.Web."""

from __future__ import annotations

from typing import Final

from hybridconn.management.about import Schema
from hybridconn.management.schemas import (
    COUNT,
    LOCATION,
    TAGS,
    answer,
    nullable,
    object_of,
    resource,
    string,
    text,
)

PLAN_PUT: Final = object_of(
    "location",
    location=LOCATION,
    tags=nullable(TAGS),
    sku=nullable(
        object_of(
            name=nullable(text(description="Such as B1")),
            tier=nullable(text(description="Such as Basic; else by the name")),
            capacity={"type": ["integer", "null"], "minimum": 0, "maximum": 1000},
        )
    ),
)
PLAN: Final = resource(
    "Microsoft.Web/serverfarms",
    answer(
        provisioningState={"const": "Succeeded"},
        status={"const": "Ready"},
        numberOfSites=COUNT,
    ),
    kind={"const": "app"},
    location=string(),
    tags={"type": "object", "additionalProperties": {"type": "string"}},
    sku=answer(name=string(), tier=string(), capacity=COUNT),
)
SITE_PUT: Final = object_of(
    "location",
    location=LOCATION,
    tags=nullable(TAGS),
    properties=nullable(
        object_of(serverFarmId=nullable(text(description="The id of its plan")))
    ),
)
SITE: Final = resource(
    "Microsoft.Web/sites",
    answer(
        serverFarmId=string(),
        state={"const": "Running"},
        enabled={"const": True},
        defaultHostName=string(),
    ),
    kind={"const": "app"},
    location=string(),
    tags={"type": "object", "additionalProperties": {"type": "string"}},
)
_PORT: Final[Schema] = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 65535},
        {"type": "string", "pattern": "^[1-9][0-9]{0,3}$"},
        {"type": "null"},
    ]
}
ATTACHMENT_PUT: Final = object_of(
    properties=nullable(
        object_of(
            serviceBusNamespace=nullable(text(description="As in the path")),
            relayName=nullable(text(description="As in the path")),
            relayArmUri=nullable(text(description="The hybrid connection's id")),
            hostname=nullable(text(255, description="Else from the metadata")),
            port=_PORT,
            sendKeyName=nullable(text(description="Else defaultSender")),
            sendKeyValue=nullable(text(description="Else the rule's primary key")),
        )
    )
)


def _attachment(kind: str, **more: Schema) -> Schema:
    return resource(
        f"Microsoft.Web/{kind}/hybridConnectionNamespaces/relays",
        answer(
            serviceBusNamespace=string(),
            relayName=string(),
            relayArmUri=string(),
            hostname=string(),
            port={"type": "integer", "minimum": 1, "maximum": 65535},
            sendKeyName=string(),
            serviceBusSuffix=string(),
        ),
        location=string(),
        **more,
    )


SITE_ATTACHMENT: Final = _attachment("sites")
PLAN_ATTACHMENT: Final = _attachment(
    "serverfarms", etag=string("Changes with the send key")
)
PLAN_LIMIT: Final = resource(
    "Microsoft.Web/serverfarms/hybridConnectionPlanLimits",
    answer(current=COUNT, maximum=COUNT),
)
SEND_KEY: Final = resource(
    "Microsoft.Web/serverfarms/hybridConnectionNamespaces/relays",
    answer(sendKeyName=string(), sendKeyValue=string()),
)
SITE_NAME_AND_ID: Final = answer(id=string(), name=string())
