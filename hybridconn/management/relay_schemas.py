"""Schemas of Microsoft.Relay."""

from __future__ import annotations

from typing import Final

from hybridconn.core.entities import Claim
from hybridconn.management.about import Schema
from hybridconn.management.network_rules import (
    ACTIONS,
    MOST_NETWORK_RULES,
    NETWORK_ACCESS,
)
from hybridconn.management.relay_operations import (
    KEY_TYPES,
    MOST_METADATA,
    STATUSES,
    TLS_VERSIONS,
)
from hybridconn.management.schemas import (
    LOCATION,
    TAGS,
    TIME,
    answer,
    choice,
    nullable,
    object_of,
    resource,
    string,
    text,
)

_SKU: Final = object_of(
    name=nullable(choice("Standard")), tier=nullable(choice("Standard"))
)
#: There are no perimeters here.
_ACCESS_PUT: Final = nullable(choice("Enabled", "Disabled"))
_NAMESPACE_PROPERTIES: Final = object_of(
    publicNetworkAccess=_ACCESS_PUT,
    minimumTlsVersion=nullable(choice(*TLS_VERSIONS)),
)
_NAMESPACE_CHANGES: Final[dict[str, Schema]] = {
    "tags": nullable(TAGS),
    "sku": nullable(_SKU),
    "properties": nullable(_NAMESPACE_PROPERTIES),
}
NAMESPACE_PUT: Final = object_of("location", location=LOCATION, **_NAMESPACE_CHANGES)
NAMESPACE_PATCH: Final = object_of(**_NAMESPACE_CHANGES)
NAMESPACE: Final = resource(
    "Microsoft.Relay/Namespaces",
    answer(
        provisioningState={"const": "Succeeded"},
        status={"const": "Active"},
        createdAt=TIME,
        updatedAt=TIME,
        serviceBusEndpoint=string("Where the data plane is", format="uri"),
        metricId=string(),
        publicNetworkAccess=choice(*NETWORK_ACCESS),
        minimumTlsVersion=choice(*TLS_VERSIONS),
    ),
    location=string(),
    tags={"type": "object", "additionalProperties": {"type": "string"}},
    sku=answer(name={"const": "Standard"}, tier={"const": "Standard"}),
)
NAME_ASKED: Final = object_of("name", name=text(least=1))
NAME_ANSWER: Final = answer(
    nameAvailable={"type": "boolean"},
    reason=choice("None", "InvalidName", "NameInUse"),
    message=string(),
)
NETWORK_RULES_PUT: Final = object_of(
    properties=nullable(
        object_of(
            defaultAction=nullable(choice(*ACTIONS)),
            publicNetworkAccess=_ACCESS_PUT,
            trustedServiceAccessEnabled={"enum": [False, None]},
            ipRules=nullable(
                {
                    "type": "array",
                    "items": object_of(
                        "ipMask",
                        ipMask=text(description="An IP address, or a network"),
                        action=nullable(choice("Allow")),
                    ),
                    "maxItems": MOST_NETWORK_RULES,
                    "description": "From where, if all else is denied",
                }
            ),
        )
    )
)
NETWORK_RULES: Final = resource(
    "Microsoft.Relay/Namespaces/NetworkRuleSets",
    answer(
        defaultAction=choice(*ACTIONS),
        publicNetworkAccess=choice(*NETWORK_ACCESS),
        trustedServiceAccessEnabled={"const": False},
        ipRules={
            "type": "array",
            "items": answer(ipMask=string(), action={"const": "Allow"}),
        },
    ),
)
CONNECTION_PUT: Final = object_of(
    properties=nullable(
        object_of(
            requiresClientAuthorization={
                "type": ["boolean", "null"],
                "description": "Whether senders must show a token; true if absent",
            },
            userMetadata=nullable(
                text(
                    MOST_METADATA,
                    description="Kept as it is; a JSON array with an item of the key "
                    "endpoint says where the listener leads",
                )
            ),
            status={
                "enum": [*STATUSES, None],
                "description": "This server's own; it stays if it is absent",
            },
        )
    )
)
CONNECTION: Final = resource(
    "Microsoft.Relay/Namespaces/HybridConnections",
    answer(
        createdAt=TIME,
        updatedAt=TIME,
        listenerCount={"type": "integer", "minimum": 0},
        requiresClientAuthorization={"type": "boolean"},
        userMetadata={"type": "string", "maxLength": MOST_METADATA},
        status=choice(*STATUSES),
    ),
)
_RIGHTS: Final[Schema] = {
    "type": "array",
    "items": choice(*(claim.value for claim in Claim)),
    "minItems": 1,
    "uniqueItems": True,
    "description": "Manage needs the other two beside it",
    "if": {"contains": {"const": Claim.MANAGE.value}},
    "then": {"minItems": len(Claim)},
}
RULE_PUT: Final = object_of(
    "properties", properties=object_of("rights", rights=_RIGHTS)
)
_RULE_PROPERTIES: Final = answer(rights=_RIGHTS)
NAMESPACE_RULE: Final = resource(
    "Microsoft.Relay/Namespaces/AuthorizationRules", _RULE_PROPERTIES
)
CONNECTION_RULE: Final = resource(
    "Microsoft.Relay/Namespaces/HybridConnections/AuthorizationRules",
    _RULE_PROPERTIES,
)
KEYS: Final = answer(
    keyName=string(),
    primaryKey=string(),
    secondaryKey=string(),
    primaryConnectionString=string("For a listener or sender"),
    secondaryConnectionString=string(),
)
REGENERATE: Final = object_of(
    "keyType",
    keyType=choice(*KEY_TYPES),
    key=nullable(
        string("One's own: base64 of 32 bytes", pattern="^[A-Za-z0-9+/]{43}=$")
    ),
)
