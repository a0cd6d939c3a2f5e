"""Changing the status of what was sealed."""
