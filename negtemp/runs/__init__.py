"""Runs that last: a folder that survives anything, what it says about itself, and the way to read it back."""
