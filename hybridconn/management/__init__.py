"""The management API, and what it manages (docs/management.md)."""
