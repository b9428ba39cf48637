"""The pre-trained taggers, rebuilt in Keras from the arrays of their checkpoints, written as LiteRT files."""
