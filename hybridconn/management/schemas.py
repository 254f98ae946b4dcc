"""
JSON schemas of what the API takes and gives, for its description (L{openapi
<hybridconn.management.openapi>}).

Names and limits come from where they are checked.  The unit tests hold every answer
against its schema.
"""

from __future__ import annotations

from typing import Any, Final

from hybridconn.core.entities import Claim
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
from hybridconn.management.live_operations import MOST_LIFETIME
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

#: Text without NUL, which no database keeps.
_TEXT: Final = r"^[^\u0000]*$"
_GUID: Final = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"


def _text(most: int = MOST_TEXT, least: int = 0, **more: Any) -> Schema:
    kept = {} if "pattern" in more else {"pattern": _TEXT}
    return {"type": "string", "minLength": least, "maxLength": most, **kept, **more}


def _string(description: str = "", **more: Any) -> Schema:
    return {
        "type": "string",
        **({"description": description} if description else {}),
        **more,
    }


def _object(*needed: str, **members: Schema) -> Schema:
    made: dict[str, Any] = {"type": "object", "properties": members}
    return made | ({"required": list(needed)} if needed else {})


def _answer(**members: Schema) -> Schema:
    """All its members are there."""
    return _object(*members, **members)


def _resource(type_: str, properties: Schema, **more: Schema) -> Schema:
    return _answer(
        id=_string("The path of the resource"),
        name=_string(),
        type={"const": type_},
        properties=properties,
        **more,
    )


def list_of(item: Schema) -> Schema:
    """A list as it is answered; C{nextLink} leads to its next page."""
    return _object(
        "value",
        value={"type": "array", "items": item},
        nextLink=_string("Absolute, with the marker of the next page", format="uri"),
    )


# --- names in paths ---

#: What may stand in a path in the place of a name.
PARAMETERS: Final[dict[str, Schema]] = {
    "sub": _string("A subscription's id", pattern=_GUID),
    "rg": _string("A resource group", pattern=f"^{GROUP_NAME}$"),
    "ns": _string("A namespace", pattern="^[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]$"),
    "hc": _string(
        "A hybrid connection; a slash in its name is %2F",
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$",
        maxLength=MAX_ENTITY_PATH,
    ),
    "rule": _string("An authorization rule", pattern=f"^{RULE_NAME}$"),
    "plan": _string("An App Service plan", pattern=f"^{PLAN_NAME}$"),
    "site": _string("An app", pattern=f"^{SITE_NAME}$"),
    "slot": _string("A slot of an app", pattern=f"^{SLOT_NAME}$"),
    "id": _string("A listener or tunnel; a slash in its name is %2F"),
}

# --- what is common ---

ERROR: Final = _answer(
    error=_answer(
        code=_string("For programs", minLength=1),
        message=_string("For people", minLength=1),
        details={"type": "array"},
    )
)
_LOCATION: Final = _text(least=1, description="Any; it cannot be changed later")
_TAGS: Final[Schema] = {
    "type": "object",
    "additionalProperties": _text(MOST_TAG_VALUE),
    "propertyNames": _text(MOST_TAG_NAME),
    "maxProperties": MOST_TAGS,
}
_TIME: Final = _string(format="date-time")


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _choice(*words: str) -> Schema:
    return {"enum": list(words)}


# --- Microsoft.Relay ---

_SKU: Final = _object(
    name=_nullable(_choice("Standard")), tier=_nullable(_choice("Standard"))
)
#: There are no perimeters here.
_ACCESS_PUT: Final = _nullable(_choice("Enabled", "Disabled"))
_NAMESPACE_PROPERTIES: Final = _object(
    publicNetworkAccess=_ACCESS_PUT,
    minimumTlsVersion=_nullable(_choice(*TLS_VERSIONS)),
)
_NAMESPACE_CHANGES: Final[dict[str, Schema]] = {
    "tags": _nullable(_TAGS),
    "sku": _nullable(_SKU),
    "properties": _nullable(_NAMESPACE_PROPERTIES),
}
NAMESPACE_PUT: Final = _object("location", location=_LOCATION, **_NAMESPACE_CHANGES)
NAMESPACE_PATCH: Final = _object(**_NAMESPACE_CHANGES)
NAMESPACE: Final = _resource(
    "Microsoft.Relay/Namespaces",
    _answer(
        provisioningState={"const": "Succeeded"},
        status={"const": "Active"},
        createdAt=_TIME,
        updatedAt=_TIME,
        serviceBusEndpoint=_string("Where the data plane is", format="uri"),
        metricId=_string(),
        publicNetworkAccess=_choice(*NETWORK_ACCESS),
        minimumTlsVersion=_choice(*TLS_VERSIONS),
    ),
    location=_string(),
    tags={"type": "object", "additionalProperties": {"type": "string"}},
    sku=_answer(name={"const": "Standard"}, tier={"const": "Standard"}),
)
NAME_ASKED: Final = _object("name", name=_text(least=1))
NAME_ANSWER: Final = _answer(
    nameAvailable={"type": "boolean"},
    reason=_choice("None", "InvalidName", "NameInUse"),
    message=_string(),
)
NETWORK_RULES_PUT: Final = _object(
    properties=_nullable(
        _object(
            defaultAction=_nullable(_choice(*ACTIONS)),
            publicNetworkAccess=_ACCESS_PUT,
            trustedServiceAccessEnabled={"enum": [False, None]},
            ipRules=_nullable(
                {
                    "type": "array",
                    "items": _object(
                        "ipMask",
                        ipMask=_text(description="An IP address, or a network"),
                        action=_nullable(_choice("Allow")),
                    ),
                    "maxItems": MOST_NETWORK_RULES,
                    "description": "From where, if all else is denied",
                }
            ),
        )
    )
)
NETWORK_RULES: Final = _resource(
    "Microsoft.Relay/Namespaces/NetworkRuleSets",
    _answer(
        defaultAction=_choice(*ACTIONS),
        publicNetworkAccess=_choice(*NETWORK_ACCESS),
        trustedServiceAccessEnabled={"const": False},
        ipRules={
            "type": "array",
            "items": _answer(ipMask=_string(), action={"const": "Allow"}),
        },
    ),
)
CONNECTION_PUT: Final = _object(
    properties=_nullable(
        _object(
            requiresClientAuthorization={
                "type": ["boolean", "null"],
                "description": "Whether senders must show a token; true if absent",
            },
            userMetadata=_nullable(
                _text(
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
CONNECTION: Final = _resource(
    "Microsoft.Relay/Namespaces/HybridConnections",
    _answer(
        createdAt=_TIME,
        updatedAt=_TIME,
        listenerCount={"type": "integer", "minimum": 0},
        requiresClientAuthorization={"type": "boolean"},
        userMetadata={"type": "string", "maxLength": MOST_METADATA},
        status=_choice(*STATUSES),
    ),
)
_RIGHTS: Final[Schema] = {
    "type": "array",
    "items": _choice(*(claim.value for claim in Claim)),
    "minItems": 1,
    "uniqueItems": True,
    "description": "Manage needs the other two beside it",
    "if": {"contains": {"const": Claim.MANAGE.value}},
    "then": {"minItems": len(Claim)},
}
RULE_PUT: Final = _object("properties", properties=_object("rights", rights=_RIGHTS))
_RULE_PROPERTIES: Final = _answer(rights=_RIGHTS)
NAMESPACE_RULE: Final = _resource(
    "Microsoft.Relay/Namespaces/AuthorizationRules", _RULE_PROPERTIES
)
CONNECTION_RULE: Final = _resource(
    "Microsoft.Relay/Namespaces/HybridConnections/AuthorizationRules",
    _RULE_PROPERTIES,
)
KEYS: Final = _answer(
    keyName=_string(),
    primaryKey=_string(),
    secondaryKey=_string(),
    primaryConnectionString=_string("For a listener or sender"),
    secondaryConnectionString=_string(),
)
REGENERATE: Final = _object(
    "keyType",
    keyType=_choice(*KEY_TYPES),
    key=_nullable(
        _string("One's own: base64 of 32 bytes", pattern="^[A-Za-z0-9+/]{43}=$")
    ),
)

# --- what goes on, and tokens ---

_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}


def _status(**more: Schema) -> Schema:
    return _resource(
        "Microsoft.Relay/Status",
        _answer(
            listeners=_COUNT,
            tunnels=_COUNT,
            httpRequests=_COUNT,
            waitingSenders=_COUNT,
            bytesFromSenders=_COUNT,
            bytesFromListeners=_COUNT,
            ended=_answer(
                tunnels=_COUNT,
                httpRequests=_COUNT,
                bytesFromSenders=_COUNT,
                bytesFromListeners=_COUNT,
            ),
            **more,
        ),
    )


STATUS: Final = _status()
RELAY_STATUS: Final = _status(
    runningSince=_TIME, namespaces=_COUNT, hybridConnections=_COUNT
)
_LISTENER: Final[dict[str, Schema]] = {
    "address": _string("Its IP address and port"),
    "connectedAt": _TIME,
    "connections": _COUNT,
    "trackingId": _string(),
    "listenerId": _string("The one that it gave itself"),
    "rule": _string("Whose key its token was signed with"),
}
LISTENER: Final = _resource(
    "Microsoft.Relay/Namespaces/HybridConnections/Listeners",
    _object(*_LISTENER, **_LISTENER, tokenExpiresAt=_TIME),
)
TUNNEL: Final = _resource(
    "Microsoft.Relay/Namespaces/HybridConnections/Tunnels",
    _answer(
        kind=_choice("Tunnel", "HttpRequest"),
        startedAt=_TIME,
        sender=_string("Its IP address and port"),
        listener=_string("The name of its listener"),
        listenerAddress=_string(),
        trackingId=_string(),
        rule=_string("Whose key the sender's token was signed with"),
        bytesFromSender=_COUNT,
        bytesFromListener=_COUNT,
    ),
)
TOKEN_ASKED: Final[Schema] = {
    **_object(
        role=_nullable(_choice(*(claim.value for claim in Claim))),
        rule=_nullable(_text(description="Else the nearest that gives the role")),
        lifetime={
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MOST_LIFETIME},
                {"type": "string", "pattern": "^[1-9][0-9]{0,7}$"},
                {"type": "null"},
            ],
            "description": "Seconds",
        },
    ),
    "anyOf": [
        _object("role", role={"type": "string"}),
        _object("rule", rule={"type": "string"}),
    ],
}
TOKEN: Final = _answer(
    token=_string("For ServiceBusAuthorization"),
    rule=_string("Whose key signed it"),
    audience=_string("What it opens, and all below", format="uri"),
    expiresAt=_TIME,
)

# --- Microsoft.Web ---

PLAN_PUT: Final = _object(
    "location",
    location=_LOCATION,
    tags=_nullable(_TAGS),
    sku=_nullable(
        _object(
            name=_nullable(_text(description="Such as B1")),
            tier=_nullable(_text(description="Such as Basic; else by the name")),
            capacity={"type": ["integer", "null"], "minimum": 0, "maximum": 1000},
        )
    ),
)
PLAN: Final = _resource(
    "Microsoft.Web/serverfarms",
    _answer(
        provisioningState={"const": "Succeeded"},
        status={"const": "Ready"},
        numberOfSites=_COUNT,
    ),
    kind={"const": "app"},
    location=_string(),
    tags={"type": "object", "additionalProperties": {"type": "string"}},
    sku=_answer(name=_string(), tier=_string(), capacity=_COUNT),
)
SITE_PUT: Final = _object(
    "location",
    location=_LOCATION,
    tags=_nullable(_TAGS),
    properties=_nullable(
        _object(serverFarmId=_nullable(_text(description="The id of its plan")))
    ),
)
SITE: Final = _resource(
    "Microsoft.Web/sites",
    _answer(
        serverFarmId=_string(),
        state={"const": "Running"},
        enabled={"const": True},
        defaultHostName=_string(),
    ),
    kind={"const": "app"},
    location=_string(),
    tags={"type": "object", "additionalProperties": {"type": "string"}},
)
_PORT: Final[Schema] = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 65535},
        {"type": "string", "pattern": "^[1-9][0-9]{0,3}$"},
        {"type": "null"},
    ]
}
ATTACHMENT_PUT: Final = _object(
    properties=_nullable(
        _object(
            serviceBusNamespace=_nullable(_text(description="As in the path")),
            relayName=_nullable(_text(description="As in the path")),
            relayArmUri=_nullable(_text(description="The hybrid connection's id")),
            hostname=_nullable(_text(255, description="Else from the metadata")),
            port=_PORT,
            sendKeyName=_nullable(_text(description="Else defaultSender")),
            sendKeyValue=_nullable(_text(description="Else the rule's primary key")),
        )
    )
)


def _attachment(kind: str) -> Schema:
    return _resource(
        f"Microsoft.Web/{kind}/hybridConnectionNamespaces/relays",
        _answer(
            serviceBusNamespace=_string(),
            relayName=_string(),
            relayArmUri=_string(),
            hostname=_string(),
            port={"type": "integer", "minimum": 1, "maximum": 65535},
            sendKeyName=_string(),
            serviceBusSuffix=_string(),
        ),
        location=_string(),
    )


SITE_ATTACHMENT: Final = _attachment("sites")
PLAN_ATTACHMENT: Final = _attachment("serverfarms")
PLAN_LIMIT: Final = _resource(
    "Microsoft.Web/serverfarms/hybridConnectionPlanLimits",
    _answer(current=_COUNT, maximum=_COUNT),
)
SEND_KEY: Final = _resource(
    "Microsoft.Web/serverfarms/hybridConnectionNamespaces/relays",
    _answer(sendKeyName=_string(), sendKeyValue=_string()),
)
SITE_NAME_AND_ID: Final = _answer(id=_string(), name=_string())

# --- accounts ---

SUBSCRIPTION: Final = _answer(
    id=_string(),
    subscriptionId=_string(),
    tenantId=_string(),
    displayName=_string(),
    state={"const": "Enabled"},
)
TENANT: Final = _answer(id=_string(), tenantId=_string())
GROUP: Final = _resource(
    "Microsoft.Resources/resourceGroups",
    _answer(provisioningState={"const": "Succeeded"}),
    location=_string(),
)
PROVIDER: Final = _answer(
    namespace=_string(), registrationState={"const": "Registered"}
)
ANYTHING: Final[Schema] = {"type": "object"}
EMPTY_LIST: Final = _answer(value={"type": "array", "maxItems": 0})
