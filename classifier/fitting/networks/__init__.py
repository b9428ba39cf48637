"""Fits of networks and heads; the platform's own network is built in `classifier.core.networks`."""
