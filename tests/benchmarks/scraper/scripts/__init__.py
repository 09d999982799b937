"""The scripts that are compared, as their users would write them."""
