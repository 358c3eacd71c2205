"""Inputs of models: whatever form a model takes, it is attacked as a function of bounded float images."""
