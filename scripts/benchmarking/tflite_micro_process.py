"""Runs a model in TFLite Micro and says on stderr what its arena holds: a process for valgrind.

It loads next to nothing, as valgrind makes everything fifty times slower.
"""

import sys

import numpy as np
from tflite_micro.python.tflite_micro import runtime

if __name__ == "__main__":
    model, inputs = sys.argv[1:]
    interpreter = runtime.Interpreter.from_file(model)
    shape = interpreter.get_input_details(0)["shape"]
    for values in np.load(inputs):
        interpreter.set_input(values.reshape(shape), 0)
        interpreter.invoke()
    interpreter.print_allocations()
