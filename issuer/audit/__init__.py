"""The issuer's audit trail: who did what to which certificate, without anything about a person."""
