"""The arrays of Keras's SimpleRNN, GRU and LSTM layers, an input, and what they make of it.

python make_keras.py     (needs keras, any backend, and numpy; writes keras.safetensors here)
"""

from pathlib import Path

import keras
import numpy as np
import tensor_file

LAYERS = {
    "simple-rnn": (keras.layers.SimpleRNN, {}),
    "simple-rnn-relu": (keras.layers.SimpleRNN, {"activation": "relu"}),
    "gru": (keras.layers.GRU, {}),
    "lstm": (keras.layers.LSTM, {}),
}
INPUTS, UNITS, STEPS, BATCH = 5, 7, 6, 2

if __name__ == "__main__":
    random = np.random.default_rng(20261122)
    tensors = {}
    for kind, (make, options) in LAYERS.items():
        layer = make(UNITS, return_sequences=True, **options)
        x = random.normal(size=(BATCH, STEPS, INPUTS)).astype(np.float32)
        layer.build(x.shape)
        # Keras's own biases begin as zeros and ones, which would hide a mix-up.
        shapes = [np.shape(array) for array in layer.get_weights()]
        layer.set_weights([random.normal(0, 0.4, shape).astype(np.float32) for shape in shapes])
        names = ["kernel", "recurrent_kernel", "bias"]
        for name, array in zip(names, layer.get_weights(), strict=True):
            tensors[f"{kind}.{name}"] = array
        tensors[f"{kind}.input"] = x
        tensors[f"{kind}.outputs"] = keras.ops.convert_to_numpy(layer(x))
    tensor_file.write(Path(__file__).parent / "keras.safetensors", tensors)
    print("written with keras", keras.__version__, "on", keras.backend.backend())
