"""Asking wallets for presentations by OpenID4VP, and judging what they answer."""
