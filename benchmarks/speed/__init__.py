"""How fast and how large: one script a figure."""
