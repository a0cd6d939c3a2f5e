"""The issuer's own keys, and its enrolment at the registry."""
