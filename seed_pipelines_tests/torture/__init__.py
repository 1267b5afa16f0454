"""Torture: seed runs whose workers and whose server are killed at random moments, until nothing else is left to try.

`make torture` does it at full count and writes docs/torture.md; whole/test_torture.py does it at a count that CI can
afford. What must hold is in verdict.py, and the same for both.
"""
