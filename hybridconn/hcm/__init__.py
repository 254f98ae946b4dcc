"""
The connection manager: hybrid connections that are added, watched and removed while
the listener runs, and the port over which commands and pages do that
(docs/listener.md, docs/hcm-api.md).
"""
