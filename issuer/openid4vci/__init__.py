"""The credential side of OpenID4VCI: metadata, credentials, deferred ones, notifications."""
