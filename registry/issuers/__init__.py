"""Entities: authorities, issuers and status providers, their keys, and statements about them."""
