"""
The description of the management API, held against a running one by schemathesis: it
makes calls of what the description allows and forbids, and looks at the answers.
"""

from __future__ import annotations

import sys
from typing import Any

from tests.integration.case import IntegrationTestCase
from tests.integration.management_stage import (
    BASE,
    ENDPOINT,
    GROUP,
    SUBSCRIPTION,
    ManagementStage,
)
from tests.integration.programs import output_of
from tests.integration.stage import table

#: Seconds for one run, and calls at random for each operation.
SECONDS, EXAMPLES = 30, 4
WEB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Web"
#: What a good call may be answered with.
TAKEN = ["2xx", "401", "403", "404", "409", "410"]
#: Operations whose calls may be wrong in a way that no schema says: markers are given
#: by the server, a tier is one of some words, an app needs a plan once, what is
#: attached needs an endpoint and its own id, a network ends with zeros, a rule
#: gives some rights only, and some things there are not.
DEPENDS = (
    "List",
    "CreateOrUpdateNetworkRuleSet",
    "CreateToken",
    "WcfRelays",
    "PrivateEndpointConnections",
    "PrivateLinkResources",
    "AppServicePlansCreateOrUpdate",
    "WebAppsCreateOrUpdate",
    "WebAppsUpdate",
)


class DescribedTests(IntegrationTestCase):
    """Nothing that was not described, no 5xx, nothing wrong that is taken."""

    def setUp(self) -> None:
        super().setUp()
        self.stage = ManagementStage()
        self.use(self.stage)
        self.stage.start()

    def run_schemathesis(self, names: dict[str, str], *options: str) -> None:
        path = "path."
        parameters = {f"{path}{name}": value for name, value in names.items()}
        lines = [
            'headers = { Authorization = "Bearer ${TOKEN}" }\n',
            table("[parameters]", {f'"{k}"': v for k, v in parameters.items()}),
            table("[checks.positive_data_acceptance]", {"expected-statuses": TAKEN}),
            "[[operations]]\n",
            f'include-operation-id-regex = "{"|".join(DEPENDS)}"\n',
            f"checks.positive_data_acceptance.expected-statuses = {[*TAKEN, '400']}\n",
        ]
        file = self.stage.write("schemathesis.toml", "".join(lines))
        start = "from schemathesis.cli import schemathesis; schemathesis()"
        argv = [sys.executable, "-c", start, "--config-file", str(file), "run"]
        bounds: tuple[Any, ...] = ("--max-time", SECONDS, "--max-examples", EXAMPLES)
        status, said = output_of(
            [
                *argv,
                f"{self.stage.base_url}/openapi.json",
                *("--tls-verify", str(self.stage.ca_file)),
                *("--phases", "coverage,fuzzing", "--checks", "all", "--seed", "1"),
                *("--warnings", "off", *map(str, bounds), *options),
                # A machine that is busy is no mistake of the description.
                *("--suppress-health-check", "all"),
            ],
            SECONDS * 4,
            {"TOKEN": self.stage.tokens["admin"]},
            self.stage.folder,
        )
        self.assertEqual(status, 0, said[-20_000:])
        self.assertNotRegex(said, "Tested: 0")

    def test_anything(self) -> None:
        """Names at random: most of what is asked for is not there."""
        self.run_schemathesis({"sub": SUBSCRIPTION})

    def test_what_is_there(self) -> None:
        """Names of what there is: most of the calls do something."""
        call, ns = self.stage.call, f"{BASE}/namespaces/contoso-relay"
        for path, body in (
            (ns, {"location": "x"}),
            (f"{ns}/hybridConnections/db", {"properties": {"userMetadata": ENDPOINT}}),
            (f"{WEB}/serverfarms/plan1", {"location": "x"}),
            (
                f"{WEB}/sites/app1",
                {
                    "location": "x",
                    "properties": {"serverFarmId": f"{WEB}/serverfarms/plan1"},
                },
            ),
            (
                f"{WEB}/sites/app1/hybridConnectionNamespaces/contoso-relay/relays/db",
                {},
            ),
        ):
            status, value, _ = call("PUT", path, body)
            self.assertEqual(status, 200, value)
        names = {
            "sub": SUBSCRIPTION,
            "rg": GROUP,
            "ns": "contoso-relay",
            "hc": "db",
            "rule": "defaultSender",
            "plan": "plan1",
            "site": "app1",
        }
        self.run_schemathesis(names, "--exclude-method", "DELETE")
