"""The relay's front door: HTTP/1.1 up to the moment a WebSocket begins."""
