"""Status lists: blocks of indices for issuers, orders from them, and signed tokens."""
