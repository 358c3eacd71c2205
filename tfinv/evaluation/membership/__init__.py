"""Measures of membership inference, from scores of members and of non-members, with intervals; checks of whether to trust them."""
