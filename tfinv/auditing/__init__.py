"""Audit of one model: six questions under a budget, grades by a policy, and the files that people and pipelines read.

`audit.py` runs it. `questions/` has one module a question; `policy.py` and `grading.py` make grades of their rows and checks.
"""
