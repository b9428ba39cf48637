"""Audio analysis and classification as plain functions on arrays, without Django and TensorFlow."""
