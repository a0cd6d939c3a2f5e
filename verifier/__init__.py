"""The verifier: checks certificates and codes, offline, under a policy.

`inputs` turns files, pictures and standard input into texts, `checking` judges them, one or many;
`offline` keeps what a desk has between two runs: the pinned root and the proofs already used. The
decision itself is `talentseal.verify`, and nothing here may change it.
"""
