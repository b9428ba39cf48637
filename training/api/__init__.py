"""The API of clips, training runs and versions."""
