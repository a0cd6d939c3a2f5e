"""Operators of the registry's service: accounts with roles and a bearer token each."""
