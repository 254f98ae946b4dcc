"""Many HTTP requests that are all under way in one moment, with real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random

from tests.integration.stage import HOST, SEND
from tests.integration.targets import blob
from tests.integration.test_http import HttpCase

COUNT = 500


class CrowdTests(HttpCase):
    """500 requests over one listener, none answered before the last one is there."""

    def test_meeting(self) -> None:
        """
        Each gets its own answer.  Most of them are beyond what goes over the control
        channel, and the service does not see which way any of them came.
        """
        self.app.expect(COUNT)
        dice = random.Random(7)
        sizes = [dice.choice((None, 0, 1, 3000, 65536, 90_000)) for _ in range(COUNT)]
        token = self.stage.token("web", SEND)
        context = self.stage.trust()
        gate = asyncio.Semaphore(50)

        async def ask(number: int, size: int | None) -> dict[str, object]:
            async with gate:  # for the TLS handshakes alone
                reader, writer = await asyncio.open_connection(
                    HOST, self.stage.port, ssl=context
                )
            body = blob(size or 0)
            length = "" if size is None else f"Content-Length: {size}\r\n"
            head = (
                f"{'GET' if size is None else 'POST'} /web/meet?{number} HTTP/1.1\r\n"
                f"Host: {HOST}:{self.stage.port}\r\nConnection: close\r\n{length}"
                f"ServiceBusAuthorization: {token}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            answer = await reader.read()
            writer.close()
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer[:300])
            text = answer[answer.index(b"{") : answer.rindex(b"}") + 1]
            told: dict[str, object] = json.loads(text)
            if size is None:
                self.assertEqual(told["path"], f"/meet?{number}")
                self.assertNotIn("Transfer-Encoding", str(told["headers"]))
            else:
                self.assertEqual(told["size"], size)
                self.assertEqual(told["sha256"], hashlib.sha256(body).hexdigest())
            return told

        async def ask_all() -> int:
            waiting = [ask(number, size) for number, size in enumerate(sizes)]
            return len(await asyncio.wait_for(asyncio.gather(*waiting), 120))

        self.assertEqual(asyncio.run(ask_all()), COUNT)
        # Connections that were used by such requests are good for others.
        for number in range(20):
            answer = json.loads(self.ask("GET", f"/web/{number}").read())
            self.assertEqual(answer["path"], f"/{number}")
