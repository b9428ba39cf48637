"""``make drill``: break running sites on purpose, and say what became of the uploads."""
