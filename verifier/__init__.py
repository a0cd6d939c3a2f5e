"""The verifier: checks certificates and codes, offline, under a policy."""
