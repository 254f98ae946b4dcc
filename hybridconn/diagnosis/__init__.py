"""
The whole way of an app's connection, looked at hop by hop: what was found, how long it
took, and what to do about it.

    this machine    the name, the port of the sender          L{local}
    the relay       its name, a proxy, TCP, TLS, the clock    L{way}
    there           the token, the hybrid connection, each listener and its target
                                                              L{far}
"""
