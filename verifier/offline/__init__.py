"""What a desk keeps between two runs: its pinned root, and the holder's proofs it has seen."""
