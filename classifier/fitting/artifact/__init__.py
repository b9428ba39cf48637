"""Writing the files of a version: weights, LiteRT model, metadata, cards, stored embeddings."""
