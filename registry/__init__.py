"""The registry: keeps jurisdictions, issuers and their rights, and publishes them signed.

One folder for each concern: `jurisdictions` (roots and keys), `issuers` (entities, their keys and
the statements about them), `status_lists` (blocks, entries, orders), `publishing` (the TUF
repository and its zip). Other programs see only the published files.
"""
