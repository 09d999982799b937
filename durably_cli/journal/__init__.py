"""What is written of a run: events, their bytes, their fold, and who may append them."""
