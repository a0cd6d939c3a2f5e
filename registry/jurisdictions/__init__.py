"""Roots: the keys a jurisdiction rests on, and what its `root.json` says."""
