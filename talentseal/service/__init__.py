"""Plumbing that the services share, and the only home of databases outside them."""
