"""How good a model is: figures, corruptions, intervals."""
