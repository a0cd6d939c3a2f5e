"""The OAuth side of OpenID4VCI: offers, access tokens, nonces."""
