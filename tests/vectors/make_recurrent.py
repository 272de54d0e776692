"""What torch.nn.RNN, GRU and LSTM compute: outputs, final states and all gradients.

    python make_recurrent.py        (needs torch and numpy; writes recurrent-*.safetensors here)

The loss is the sum of outputs and final states, each weighted with random numbers, so that
gradients come in through all of them.
"""

from pathlib import Path

import numpy as np
import tensor_file
import torch

HERE = Path(__file__).parent
KINDS = {
    "simple-rnn": (torch.nn.RNN, {"nonlinearity": "tanh"}),
    "simple-rnn-relu": (torch.nn.RNN, {"nonlinearity": "relu"}),
    "gru": (torch.nn.GRU, {}),
    "lstm": (torch.nn.LSTM, {}),
}
# Odd sizes, and batches below and above where our products change their form.
SHAPES = {
    "one-layer": dict(layers=1, batch=12, steps=9, inputs=19, hidden=37),
    "three-layers": dict(layers=3, batch=3, steps=7, inputs=5, hidden=20),
}


def case(kind, layers, batch, steps, inputs, hidden):
    network, options = KINDS[kind]
    model = network(inputs, hidden, num_layers=layers, batch_first=True, **options)
    x = torch.randn(batch, steps, inputs, requires_grad=True)
    states = {"h0": torch.randn(layers, batch, hidden).mul_(0.5).requires_grad_()}
    if kind == "lstm":
        states["c0"] = torch.randn(layers, batch, hidden).mul_(0.5).requires_grad_()
        outputs, (h, c) = model(x, (states["h0"], states["c0"]))
        results = {"outputs": outputs, "h_n": h, "c_n": c}
    else:
        outputs, h = model(x, states["h0"])
        results = {"outputs": outputs, "h_n": h}
    upstream = {name: torch.randn_like(value) for name, value in results.items()}
    loss = sum((results[name] * upstream[name]).sum() for name in results)
    loss.backward()

    tensors = {"input": x, "input.grad": x.grad}
    for name, value in [*states.items(), *model.named_parameters()]:
        tensors[name] = value
        tensors[name + ".grad"] = value.grad
    tensors.update(results)
    tensors.update({name + ".upstream": value for name, value in upstream.items()})
    return {name: value.detach().numpy().astype(np.float32) for name, value in tensors.items()}


if __name__ == "__main__":
    torch.manual_seed(20261122)
    for kind in KINDS:
        tensors = {}
        for shape, sizes in SHAPES.items():
            for name, value in case(kind, **sizes).items():
                tensors[f"{shape}.{name}"] = value
        tensor_file.write(HERE / f"recurrent-{kind}.safetensors", tensors)
    print("written with torch", torch.__version__)
