"""Programs to measure: the same work without durably, and what durably does inside of a process."""
