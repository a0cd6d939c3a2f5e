"""Who has done what in this registry, and when; rows are never changed."""
