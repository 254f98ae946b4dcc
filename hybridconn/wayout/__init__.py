"""
The way out through proxies.

  - L{way<hybridconn.wayout.way>}: what is decided for each dial.
  - L{bypass<hybridconn.wayout.bypass>}, L{environment<hybridconn.wayout.environment>}:
    which hosts need no proxy, and what the environment says.
  - L{connect<hybridconn.wayout.connect>}, L{socks5<hybridconn.wayout.socks5>}: what is
    said to a proxy, without I/O.
  - L{endpoint<hybridconn.wayout.endpoint>}: saying it over a connection.
"""
