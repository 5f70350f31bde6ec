"""Where a network looks, whether that means anything, and the report of a whole project."""
