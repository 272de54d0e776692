"""Trains one epoch on the CPU with Keras for every line on standard input; answers its seconds
and the processor time of all threads."""

import json
import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np


def main():
    s = json.loads(sys.argv[1])
    if threads := os.environ.get("PEERS_THREADS"):
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(int(threads))
        tensorflow.config.threading.set_inter_op_parallelism_threads(int(threads))
    make = {
        "lstm": keras.layers.LSTM,
        "gru": keras.layers.GRU,
        "simple-rnn": keras.layers.SimpleRNN,
    }[s["kind"]]
    layers = [keras.Input((s["steps"], s["features"]))]
    if s["dense_in"]:
        layers.append(keras.layers.Dense(s["hidden"]))
    layers += [make(s["hidden"], return_sequences=True) for _ in range(s["layers"])]
    layers.append(keras.layers.Dense(s["features"]))
    network = keras.Sequential(layers)
    network.compile(optimizer=keras.optimizers.RMSprop(s["rate"]), loss="mse")
    shape = (s["batch"] * s["batches"], s["steps"], s["features"])
    random = np.random.default_rng(0)
    inputs, targets = (random.normal(size=shape).astype(np.float32) for _ in range(2))
    print("ready", flush=True)
    for _ in sys.stdin:
        start, processor = time.perf_counter(), time.process_time()
        network.fit(inputs, targets, batch_size=s["batch"], epochs=1, shuffle=False, verbose=0)
        print(time.perf_counter() - start, time.process_time() - processor, flush=True)


main()
