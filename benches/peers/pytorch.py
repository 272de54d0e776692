"""Trains one epoch with PyTorch for each line on standard input; answers its seconds and the
processor time of all threads."""

import json
import os
import sys
import time

import torch


class Network(torch.nn.Module):
    def __init__(self, kind, features, dense_in, hidden, layers):
        super().__init__()
        self.dense_in = torch.nn.Linear(features, hidden) if dense_in else torch.nn.Identity()
        make = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "simple-rnn": torch.nn.RNN}[kind]
        width = hidden if dense_in else features
        self.recurrent = make(width, hidden, num_layers=layers, batch_first=True)
        self.dense_out = torch.nn.Linear(hidden, features)

    def forward(self, values):
        values, _ = self.recurrent(self.dense_in(values))
        return self.dense_out(values)


def main():
    s = json.loads(sys.argv[1])
    if threads := os.environ.get("PEERS_THREADS"):
        torch.set_num_threads(int(threads))
    device = torch.device(s["device"])
    # Both have switches of their own, and other defaults.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = (
        s["precision"] == "tf32"
    )
    network = Network(s["kind"], s["features"], s["dense_in"], s["hidden"], s["layers"]).to(device)
    optimizer = torch.optim.RMSprop(network.parameters(), lr=s["rate"])
    shape = (s["batch"], s["steps"], s["features"])
    inputs, targets = torch.randn(shape, device=device), torch.randn(shape, device=device)

    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize()

    wait()
    print("ready", flush=True)
    for _ in sys.stdin:
        start, processor = time.perf_counter(), time.process_time()
        for _ in range(s["batches"]):
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=s["precision"] == "bf16"):
                loss = torch.nn.functional.mse_loss(network(inputs), targets)
            loss.backward()
            optimizer.step()
        wait()
        print(time.perf_counter() - start, time.process_time() - processor, flush=True)


main()
