"""Names of services that are reached through hybrid connections, on this machine."""
