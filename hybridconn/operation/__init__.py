"""
Running as a service of an operating system.

  - L{notify<hybridconn.operation.notify>}: telling systemd how we are.
  - L{logs<hybridconn.operation.logs>}: the log as JSON lines.
  - L{updates<hybridconn.operation.updates>}: whether there is a newer version.
"""
