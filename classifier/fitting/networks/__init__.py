"""Networks and heads that are fitted beside the ones in `classifier.core.networks`."""
