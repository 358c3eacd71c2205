"""Measures of accuracy under attack and of the privacy that reconstructions cost, and checks of whether to believe them."""
