"""What is kept of a check: that it happened and how it ended, nothing about a person."""
