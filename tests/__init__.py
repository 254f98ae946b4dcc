"""The tests of hybridconn; the folders mirror the package."""

import os

from hypothesis import settings

# A loaded machine must not fail a test, and runs leave no files behind.
settings.register_profile(
    "hybridconn",
    deadline=None,
    database=None,
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "150")),
)
settings.load_profile("hybridconn")
