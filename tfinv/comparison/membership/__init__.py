"""Membership inference on models: who was in, the models that are taken as targets, their scores, and the checks of these."""
