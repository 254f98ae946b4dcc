"""What the bench reads out of wrk and ab."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bench.errors import BenchError
from bench.http import Counted, parse_ab, parse_wrk

_WRK = """\
Running 2s test @ http://127.0.0.1:8080/
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    25.11ms    5.20ms  60.01ms   80.00%
  Latency Distribution
     50%   24.60ms
     99%  {p99}
  2571 requests in 2.00s, 3.20MB read
{bad}Requests/sec:   1281.50
"""

_AB = """\
Complete requests:      2571
Failed requests:        {failed}
{bad}Requests per second:    1281.50 [#/sec] (mean)

Percentage of the requests served within a certain time (ms)
  50%     25
  99%     42
 100%     60 (longest request)
"""


class WrkTests(SynchronousTestCase):
    """C{wrk --latency}."""

    def test_units(self) -> None:
        """The p99 is in ms, in whichever unit wrk thought fit to print it."""
        for printed, expected in (("690us", 0.69), ("41.80ms", 41.8), ("1.5s", 1500)):
            found = parse_wrk(_WRK.format(p99=printed, bad=""))
            self.assertEqual(found.rate, 1281.5)
            self.assertAlmostEqual(found.p99, expected)

    def test_bad_answers(self) -> None:
        """A rate of refusals is no figure."""
        for bad in (
            "  Non-2xx or 3xx responses: 12\n",
            "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
        ):
            text = _WRK.format(p99="1.00ms", bad=bad)
            self.assertRaisesRegex(BenchError, "bad answers", parse_wrk, text)

    def test_no_figures(self) -> None:
        """Nor is nothing, or nothing a second."""
        nothing = _WRK.format(p99="1.00ms", bad="").replace("1281.50", "0.00")
        for text in ("", nothing):
            self.assertRaisesRegex(BenchError, "no figures", parse_wrk, text)


class AbTests(SynchronousTestCase):
    """C{ab}."""

    def test_figures(self) -> None:
        """The rate, and the line of the 99 hundredths."""
        self.assertEqual(parse_ab(_AB.format(failed=0, bad="")), Counted(1281.5, 42.0))

    def test_bad_answers(self) -> None:
        """A rate of refusals is no figure."""
        for failed, bad in ((3, ""), (0, "Non-2xx responses:      7\n")):
            text = _AB.format(failed=failed, bad=bad)
            self.assertRaisesRegex(BenchError, "bad answers", parse_ab, text)

    def test_no_figures(self) -> None:
        """Nor is nothing."""
        self.assertRaisesRegex(BenchError, "no figures", parse_ab, "")
