"""What no change of the inside may change, stored as files: journals, commands, public names.

`store/` holds journals of format 1, byte for byte; a file there is never written again. The other
files are what today's durably prints: `python -m tests.golden` shows what has changed of it, and
`python -m tests.golden --write` writes that down.
"""
