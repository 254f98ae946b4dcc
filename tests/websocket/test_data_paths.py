"""
With C{data_path = "autobahn"} everything is as it is without: the same tests
again, with Autobahn reading and writing the frames of the tunnels.
"""

from __future__ import annotations

from tests.websocket import (
    test_client,
    test_closing,
    test_flow,
    test_splice,
    test_streaming,
    test_transport,
)


class AutobahnReceivingTests(test_streaming.ReceivingTests):
    data_path = "autobahn"


class AutobahnSendingTests(test_streaming.SendingTests):
    data_path = "autobahn"


class AutobahnControlFrameTests(test_streaming.ControlFrameTests):
    data_path = "autobahn"


class AutobahnViolationTests(test_streaming.ViolationTests):
    data_path = "autobahn"


class AutobahnWholeMessagesTests(test_streaming.WholeMessagesTests):
    data_path = "autobahn"


class AutobahnRequestTests(test_client.RequestTests):
    data_path = "autobahn"


class AutobahnAttemptTests(test_client.AttemptTests):
    data_path = "autobahn"


class AutobahnCloseFrameTests(test_closing.CloseFrameTests):
    data_path = "autobahn"


class AutobahnHalvesTests(test_closing.HalvesTests):
    data_path = "autobahn"


class AutobahnEndsTests(test_closing.EndsTests):
    data_path = "autobahn"


class AutobahnProducerTests(test_flow.ProducerTests):
    data_path = "autobahn"


class AutobahnSpliceDataTests(test_splice.DataTests):
    data_path = "autobahn"


class AutobahnSpliceBackpressureTests(test_splice.BackpressureTests):
    data_path = "autobahn"


class AutobahnSpliceCloseTests(test_splice.CloseTests):
    data_path = "autobahn"


class AutobahnSpliceLossTests(test_splice.LossTests):
    data_path = "autobahn"


class AutobahnTransportDataTests(test_transport.DataTests):
    data_path = "autobahn"


class AutobahnTransportHalfCloseTests(test_transport.HalfCloseTests):
    data_path = "autobahn"
