"""Training models: `keras.Model` subclasses whose `train_step` is the recipe, and the `fit` around them.

The room is ordered as one file a defence (`destruction` has `destruction_training` and `reversal_bounds` beside it, `dp_sgd` has
`poisson` and `privacy`), registered in `defences`. The other files are shared: `base`, `defence`, `assembly`, `robust` and
`perturbing`; `schedule` with `optimizers`, `rates`, `augmentation` and `precision`; `fit` with the callbacks of `backup`,
`watching`, `clock` and `images`; `distribution` and `replicas` for several devices.
"""
