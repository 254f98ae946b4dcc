"""What the web pages of the services share: their port, sessions, and parts to see."""
