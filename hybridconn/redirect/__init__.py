"""Ways to have the apps of this machine find redirected names, and their undoing."""
