"""The issuer: seals certificates, and revokes, suspends and reinstates them."""
