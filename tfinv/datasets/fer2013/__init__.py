"""FER2013 as a TFDS builder."""
