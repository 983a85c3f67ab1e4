"""Faults, injected into the installed service from outside, and what is left afterwards, judged from files alone.

`python -m tests.faults` prints a row for each T-xx of the reliability bar. Nothing here but the rows that say so imports
labbridge: the service is started, killed and asked as an operator would.
"""
