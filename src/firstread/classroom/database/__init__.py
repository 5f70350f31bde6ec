"""What a class remembers: its tables, and what is written there and read from there."""
