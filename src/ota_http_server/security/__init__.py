"""Tokens, secrets and certificates."""
