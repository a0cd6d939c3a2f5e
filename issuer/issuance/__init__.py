"""Sealing certificates and keeping their record."""
