"""Pages to contribute, curate, retrain, compare and promote."""
