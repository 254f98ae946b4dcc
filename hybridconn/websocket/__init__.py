"""WebSockets as tunnels: Autobahn's framing with the closing handshake in halves."""
