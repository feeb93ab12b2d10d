"""Loads TensorFlow, as a back end of Keras, and keeps stderr for the commands' own words meanwhile.

Commands import this module before anything that imports Keras. TensorFlow's libraries announce
themselves on stderr whatever `TF_CPP_MIN_LOG_LEVEL` says. Switching off what they announce
(`TF_ENABLE_ONEDNN_OPTS=0`) is no way out: a training step would take a third longer.
"""

from __future__ import annotations

import gc
import os

from scripts.console.quiet_stderr import quiet_stderr

# Work at import time: both have to be settled before another import loads Keras.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever else the user works with

# A fifth faster without the garbage collector, which walks a growing heap for nothing; what was
# loaded stays until the end, and need not be walked later either.
gc.disable()
with quiet_stderr():
    import keras
    import tensorflow  # noqa: F401
# What a keras.json in the user's home may say otherwise.
keras.config.set_floatx("float32")
keras.config.set_image_data_format("channels_last")
keras.config.set_epsilon(1e-7)
keras.config.set_dtype_policy("float32")
gc.freeze()
gc.enable()
