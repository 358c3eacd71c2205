"""Whole image classifiers that strangers published, through `load_classifier` and through their own frameworks."""
