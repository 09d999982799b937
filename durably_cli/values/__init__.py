"""What is carried: JSON, types, secrets, and objects of the user's."""
