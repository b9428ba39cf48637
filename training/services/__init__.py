"""Services of training, as keyword-only functions."""
