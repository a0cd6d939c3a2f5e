"""Certificates in preparation: prepared by one officer, approved by another, then issued."""
