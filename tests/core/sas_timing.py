"""
Does the time that a refusal takes tell how much of a signature was right?  To be
run by hand, on a quiet machine (reliability-security T1)::

    python -m tests.core.sas_timing

It prints the medians of two kinds of wrong tokens and of an unknown rule; they
should differ by less than 5 %.  Nothing fails if they do not: what must hold on
every machine, C{tests.core.test_sas_broken} asserts.
"""

from __future__ import annotations

import statistics
import time
from urllib.parse import quote, unquote

from hybridconn.core.entities import Claim
from hybridconn.core.refusals import TokenInvalid
from hybridconn.core.sas import SasAuthorizer, sign
from tests.core.sas_case import HOST, HYCO, LATER, NAMESPACE, NOW

ROUNDS = 2000
BOUND = 0.05


def _wrong(signature: str, position: int) -> str:
    other = "A" if signature[position] != "A" else "B"
    return signature[:position] + other + signature[position + 1 :]


def tokens() -> dict[str, str]:
    """The tokens that are compared; none is good, all are equally long."""
    good = sign(f"http://{HOST}/hyco", "app", "app-1", LATER)
    head, _, tail = good.partition("&sig=")
    encoded, _, rest = tail.partition("&")
    signature = unquote(encoded)

    def with_signature(changed: str) -> str:
        return f"{head}&sig={quote(changed, safe='')}&{rest}"

    return {
        "wrong at the first character": with_signature(_wrong(signature, 0)),
        "wrong at the 40th": with_signature(_wrong(signature, 39)),
        "of an unknown rule": good.replace("skn=app", "skn=ape"),
    }


def medians(rounds: int = ROUNDS) -> dict[str, float]:
    """
    Judge each token so often, in turn, so that a slow spell meets all alike.

    @return: the median of each, in seconds.
    """
    authorizer, kinds = SasAuthorizer(), tokens()
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, token in kinds.items():
            began = time.perf_counter()
            try:
                authorizer.authorize(
                    token, Claim.SEND, NAMESPACE, HYCO, HOST, ("hyco",), NOW
                )
            except TokenInvalid:
                took[kind].append(time.perf_counter() - began)
    return {kind: statistics.median(times) for kind, times in took.items()}


def main() -> None:
    """Print what was measured."""
    found = medians()
    least = min(found.values())
    for kind, median in found.items():
        print(f"{kind:30} {median * 1e6:8.2f} us  {median / least - 1:+.1%}")
    spread = max(found.values()) / least - 1
    print(f"spread {spread:.1%}: {'fine' if spread < BOUND else 'look into it'}")


if __name__ == "__main__":
    main()
