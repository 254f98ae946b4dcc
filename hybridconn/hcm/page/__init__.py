"""The manager's web page: its files, who may see it, and what it asks for."""
