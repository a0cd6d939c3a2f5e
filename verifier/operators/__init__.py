"""Who may look at receipts and start presentation requests."""
