"""A clip's way to a prediction: audio, augmentation, features, models, checkpoints, corpora."""
