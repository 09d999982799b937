"""The version of durably."""

__version__ = "0.1.0"
