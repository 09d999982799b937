"""What executes runs: an engine a folder, and what they share."""
