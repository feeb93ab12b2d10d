"""The network architectures: what their sizes mean, and the layers that follow, without Keras."""
