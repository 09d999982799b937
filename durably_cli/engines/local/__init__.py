"""The local engine: runs in this process, on files and locks."""
