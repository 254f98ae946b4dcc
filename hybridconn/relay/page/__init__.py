"""The relay's web page: what goes on, and an end to it (docs/relay.md, "The page")."""
