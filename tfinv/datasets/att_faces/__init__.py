"""The AT&T faces as a TFDS builder."""
