"""From corpora and corrections to training examples."""
