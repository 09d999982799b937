"""Run state to text: for people on a terminal, for pipes, and as JSON."""
