"""What fitting reads: stored features, batches, sounds that are not music, degraded sound."""
