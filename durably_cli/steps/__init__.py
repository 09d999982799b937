"""What a handler may ask of its run: a kind of step a file, and what performs them."""
