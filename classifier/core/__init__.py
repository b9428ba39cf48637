"""What music sounds like, as plain functions: arrays in, arrays out, no Django and no TensorFlow."""
