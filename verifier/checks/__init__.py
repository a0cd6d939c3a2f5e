"""Checking over HTTP: one, many, from a text or a picture."""
