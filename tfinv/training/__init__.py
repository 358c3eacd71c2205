"""Training models: `keras.Model` subclasses whose `train_step` is the recipe, and the `fit` around them."""
