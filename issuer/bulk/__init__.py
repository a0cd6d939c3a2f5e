"""Many certificates from one file: checked whole, sealed in chunks, resumed after a crash."""
