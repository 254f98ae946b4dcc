"""An endpoint that says when the local address cannot be used."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectBindError
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.wayout.errors import LocalAddressError


@implementer(IStreamClientEndpoint)
class FromAddress:
    """
    @param endpoint: dials from C{address}.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, address: str) -> None:
        self._endpoint = endpoint
        self._address = address

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        Dial (Twisted).

        @return: fails with L{LocalAddressError} too.
        """
        dialled: Deferred[Any] = self._endpoint.connect(protocolFactory)
        return dialled.addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        error = failure.value
        if not isinstance(error, ConnectBindError):
            return failure
        problem = "it does not fit the address that is dialled"
        if error.osError == errno.EADDRNOTAVAIL:
            problem = "it is no address of this machine"
        return Failure(LocalAddressError(self._address, problem))
