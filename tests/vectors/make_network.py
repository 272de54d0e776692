"""A network as PyTorch modules, under the names of ours: its weights, an input, and the output.

python make_network.py        (needs torch and numpy; writes network.safetensors here)
"""

from pathlib import Path

import numpy as np
import tensor_file
import torch
from torch import nn

WIDTH, UNITS, STEPS, BATCH = 32, 6, 7, 3


class Network(nn.Module):
    """32 -> dense 6 -> LSTM 6 (normalised, residual) -> GRU 6 -> 32."""

    def __init__(self):
        super().__init__()
        self.dense_in = nn.Linear(WIDTH, UNITS)
        self.norms = nn.ModuleDict({"0": nn.LayerNorm(UNITS)})
        self.recurrent = nn.ModuleList(
            [nn.LSTM(UNITS, UNITS, batch_first=True), nn.GRU(UNITS, UNITS, batch_first=True)]
        )
        self.dense_out = nn.Linear(UNITS, WIDTH)

    def forward(self, values):
        values = self.dense_in(values)
        values = values + self.recurrent[0](self.norms["0"](values))[0]
        return self.dense_out(self.recurrent[1](values)[0])


if __name__ == "__main__":
    torch.manual_seed(20261122)
    network = Network()
    for value in network.norms.parameters():
        # Values other than the ones they begin with, so that a mix-up shows.
        value.data.add_(torch.randn_like(value) * 0.3)
    x = torch.randn(BATCH, STEPS, WIDTH)
    tensors = {"input": x, "output": network(x), **network.state_dict()}
    arrays = {name: value.detach().numpy().astype(np.float32) for name, value in tensors.items()}
    tensor_file.write(Path(__file__).parent / "network.safetensors", arrays)
    print("written with torch", torch.__version__)
