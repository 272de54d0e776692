"""What PyTorch computes for losses and layer normalisation: values and gradients.

    python make_losses.py        (needs torch and numpy; writes losses.safetensors here)

Mean squared, mean absolute and Huber loss are those of torch.nn.functional. The spectral loss is
written here with complex tensors and autograd, from the definition in the documentation of
SpectralLoss.
"""

from pathlib import Path

import numpy as np
import tensor_file
import torch
import torch.nn.functional as F

HERE = Path(__file__).parent
# Samples per block: even and odd lengths keep different numbers in the half layout.
LENGTHS = (8, 9)
ROWS = 5


def magnitudes(rows, mean, deviation, layout, n, tiny):
    plain = rows * deviation + mean
    if layout == "full":
        spectrum = torch.complex(plain[:, :n], plain[:, n:])
    else:
        bins = n // 2 + 1
        imaginary = torch.zeros(len(rows), bins, dtype=rows.dtype)
        imaginary[:, 1 : (n + 1) // 2] = plain[:, bins:]
        spectrum = torch.complex(plain[:, :bins], imaginary)
    return torch.sqrt(spectrum.abs() ** 2 + tiny)


def spectral(predicted, target, mean, deviation, layout, n):
    # A bin's usual squared magnitude: its parts' variances added up.
    usual = magnitudes(torch.ones(1, len(mean)).double(), 0.0, deviation, layout, n, 0.0)[0] ** 2
    floor = 1e-3 * usual.max().sqrt()
    tiny = (1e-3 * floor) ** 2
    ours = magnitudes(predicted, mean, deviation, layout, n, tiny)
    theirs = magnitudes(target, mean, deviation, layout, n, tiny)
    quiet = 0.01 * usual.sum()
    convergence = (ours - theirs).norm(dim=1) / torch.sqrt((theirs**2).sum(dim=1) + quiet)
    logarithms = (torch.log(ours + floor) - torch.log(theirs + floor)).abs().mean(dim=1)
    return (convergence + logarithms).mean()


def main():
    torch.manual_seed(20261122)
    tensors = {}

    def put(name, tensor):
        tensors[name] = tensor.detach().numpy().astype(np.float32)

    def put_loss(name, loss, of):
        (gradient,) = torch.autograd.grad(loss, of)
        put(name, loss)
        put(f"{name}.grad", gradient)

    predicted = torch.randn(3, 7, 11, requires_grad=True)
    target = torch.randn(3, 7, 11)
    with torch.no_grad():
        predicted[0, 0, :4] = target[0, 0, :4]
    put("predicted", predicted)
    put("target", target)
    put_loss("mse", F.mse_loss(predicted, target), predicted)
    put_loss("mae", F.l1_loss(predicted, target), predicted)
    put_loss("huber", F.huber_loss(predicted, target, delta=0.7), predicted)

    for layout in ("full", "half"):
        for n in LENGTHS:
            width = 2 * n if layout == "full" else n
            rows = [torch.randn(ROWS, width).float().double() for _ in range(2)]
            mean = (torch.randn(width) * 0.3).float().double()
            deviation = (torch.rand(width) * 4 + 0.01).float().double()
            predicted, target = rows[0].requires_grad_(), rows[1]
            with torch.no_grad():
                target[1] = -mean / deviation  # silence
            loss = spectral(predicted, target, mean, deviation, layout, n)
            prefix = f"{layout}-{n}."
            for name, tensor in (
                ("predicted", predicted),
                ("target", target),
                ("mean", mean),
                ("deviation", deviation),
            ):
                put(prefix + name, tensor)
            put_loss(prefix + "loss", loss, predicted)

    for width in (5, 37):
        values = (torch.randn(4, 3, width) * 3 + 1).requires_grad_()
        norm = torch.nn.LayerNorm(width)
        with torch.no_grad():
            norm.weight.normal_()
            norm.bias.normal_()
        output = norm(values)
        upstream = torch.randn_like(output)
        (output * upstream).sum().backward()
        prefix = f"norm-{width}."
        for name, tensor in (
            ("input", values),
            ("input.grad", values.grad),
            ("weight", norm.weight),
            ("weight.grad", norm.weight.grad),
            ("bias", norm.bias),
            ("bias.grad", norm.bias.grad),
            ("output", output),
            ("upstream", upstream),
        ):
            put(prefix + name, tensor)

    tensor_file.write(HERE / "losses.safetensors", tensors)
    print("written with torch", torch.__version__)


main()
