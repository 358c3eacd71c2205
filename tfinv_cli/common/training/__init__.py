"""Flags of `train`: how a network is optimised, and networks of the user's."""
