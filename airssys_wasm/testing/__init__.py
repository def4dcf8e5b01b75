"""For tests of what uses this package: guests that follow a script, a clock moved by hand, an observer that remembers.

Nothing of the package imports it.
"""
