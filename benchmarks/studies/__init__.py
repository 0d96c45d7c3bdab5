"""What a recipe or a correction is worth: one script a study."""
