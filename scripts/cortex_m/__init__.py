"""Generated C on an emulated Cortex-M: image, emulator, what it needs and gives."""
