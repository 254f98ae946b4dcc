"""
From where a namespace may be reached: C{networkRuleSets/default} and
C{publicNetworkAccess} (management-api section 7.2).  What can be stored is enforced by
the data plane; what is not is refused.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

from attrs import evolve

from hybridconn.core.resources import NamespaceResource
from hybridconn.management.bodies import Body
from hybridconn.management.calls import Json
from hybridconn.management.errors import bad_request, quota
from hybridconn.management.ids import namespace_id

#: Rules of one namespace (product-behaviour section 6).
MOST_NETWORK_RULES: Final = 128
NETWORK_ACCESS: Final = ("Enabled", "Disabled", "SecuredByPerimeter")
ACTIONS: Final = ("Allow", "Deny")


def public_access(properties: Body, one: NamespaceResource) -> str:
    """
    Whether a namespace is to be reached at all.

    @raise ApiError: 400.
    """
    given = properties.choice(
        "publicNetworkAccess", NETWORK_ACCESS, one.public_network_access
    )
    if given == "SecuredByPerimeter" != one.public_network_access:
        raise bad_request(
            "'properties.publicNetworkAccess' is wrong: this server has no perimeters; "
            "use Enabled or Disabled.",
            "NotSupported",
        )
    return given


def put_rules(one: NamespaceResource, body: Body, now: float) -> NamespaceResource:
    """
    A namespace with other rules, in the place of those that it has.

    @raise ApiError: 400, or 403: too many of them.
    """
    properties = body.object("properties")
    if properties.boolean("trustedServiceAccessEnabled", False):
        raise bad_request(
            "'properties.trustedServiceAccessEnabled' is wrong: this server trusts no "
            "services; use false.",
            "NotSupported",
        )
    rules = properties.objects("ipRules")
    if len(rules) > MOST_NETWORK_RULES:
        raise quota(f"A namespace may have {MOST_NETWORK_RULES} network rules.")
    return evolve(
        one,
        public_network_access=public_access(properties, one),
        default_action=properties.choice("defaultAction", ACTIONS, "Allow"),
        ip_rules=tuple(dict.fromkeys(map(_mask, rules))),
        updated=max(now, one.updated),
    )


def show_rules(one: NamespaceResource) -> Json:
    """Network rules as they are answered."""
    return {
        "id": f"{namespace_id(one)}/networkRuleSets/default",
        "name": "default",
        "type": "Microsoft.Relay/Namespaces/NetworkRuleSets",
        "properties": {
            "defaultAction": one.default_action,
            "publicNetworkAccess": one.public_network_access,
            "trustedServiceAccessEnabled": False,
            "ipRules": [{"ipMask": mask, "action": "Allow"} for mask in one.ip_rules],
        },
    }


def _mask(rule: Body) -> str:
    rule.choice("action", ("Allow",), "Allow")
    text = (rule.text("ipMask") or "").strip()
    try:
        ip_network(text)
    except ValueError as error:
        words = "use an IP address or a network such as 10.0.0.0/8"
        if "host bits" in str(error):
            words = f"write it as {ip_network(text, strict=False)}"
        raise rule.wrong("ipMask", words) from None
    return text
