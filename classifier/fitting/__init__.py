"""Fitting a classifier: from examples to a release folder. Keras is imported inside functions only."""
