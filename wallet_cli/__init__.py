"""The wallet on the command line: holds a person's certificates and shows what they choose."""
