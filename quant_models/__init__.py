"""From speech to a trained quantised network: audio, features, data sets, models and training."""
