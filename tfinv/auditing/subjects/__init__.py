"""Subjects of an audit: the model, its images, and who was in its training set, from files or from objects of Python."""
