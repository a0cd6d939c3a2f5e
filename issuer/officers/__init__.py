"""The officers of an issuer: who may prepare, approve, seal, revoke or read the audit trail."""
