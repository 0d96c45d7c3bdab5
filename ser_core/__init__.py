"""A clip's way to a prediction: audio, augmentation, front-ends, backbones, checkpoints, corpora."""
