"""Migrations of the verifier's database."""
