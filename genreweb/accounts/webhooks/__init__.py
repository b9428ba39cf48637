"""Webhooks: what happens to a person's tracks, told to addresses that they name."""
