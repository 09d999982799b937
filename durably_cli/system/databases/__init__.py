"""Databases of the user's own, in which a step and its result are written in one transaction.

A table there, `durably_steps`, has a row for each such step. It is inserted first, without a
result, and updated last. So who inserts it a second time finds it, waits for who is at it, and sees
how that has ended; and if the transaction was ended in between, the row is gone, or has no result.
"""
