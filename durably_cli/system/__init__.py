"""The ground: files, locks, signals, clocks and processes."""
