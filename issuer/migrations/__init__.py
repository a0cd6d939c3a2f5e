"""The issuer's schema, from empty on."""
