"""What a desk keeps between two runs, its pinned root and the holder's proofs it has seen; and the
refresher that keeps the trust data of a running verifier young.
"""
