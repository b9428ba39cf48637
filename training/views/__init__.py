"""Pages of contributions, review, training runs and versions."""
