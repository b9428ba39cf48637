"""Training and measuring the classifier that ships with the project."""
