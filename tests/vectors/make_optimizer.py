"""What optimizers make of a parameter over several steps with given gradients.

    python make_optimizer.py        (needs torch and numpy; writes optimizer.safetensors here)

PyTorch's rules come from torch.optim. Keras's RMSprop is written out in NumPy (float64) from its
documented definition (keras.optimizers.RMSprop): a discounted mean of squared gradients with `rho`,
the gradient divided by the root of that mean plus `epsilon`, optional momentum on the change. With
Keras
installed, the script checks that the two agree.
"""

from pathlib import Path

import numpy as np
import tensor_file
import torch

HERE = Path(__file__).parent
STEPS = 5
RATE = 0.01
TORCH = {
    "rmsprop-torch": lambda p: torch.optim.RMSprop(p, lr=RATE),
    "rmsprop-torch-momentum": lambda p: torch.optim.RMSprop(
        p, lr=RATE, momentum=0.7, weight_decay=0.1
    ),
    "adamw": lambda p: torch.optim.AdamW(p, lr=RATE, weight_decay=0.1),
    "sgd": lambda p: torch.optim.SGD(p, lr=RATE, weight_decay=0.1),
    "sgd-momentum": lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.9),
    "sgd-nesterov": lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.9, nesterov=True),
}
KERAS = {"rmsprop": 0.0, "rmsprop-momentum": 0.7}


def keras_rmsprop(start, gradients, momentum, rho=0.9, epsilon=1e-7):
    weight = start.astype(np.float64)
    square, last, path = np.zeros_like(weight), np.zeros_like(weight), []
    for gradient in gradients.astype(np.float64):
        square = rho * square + (1 - rho) * gradient**2
        change = RATE * gradient / np.sqrt(square + epsilon)
        last = momentum * last + change
        weight = weight - (last if momentum else change)
        path.append(weight)
    return np.stack(path).astype(np.float32)


def check_against_keras(start, gradients, paths):
    try:
        import keras
    except ImportError:
        print("Keras is not installed: its definition was not checked against it")
        return
    for name, momentum in KERAS.items():
        weight = keras.Variable(start)
        optimizer = keras.optimizers.RMSprop(learning_rate=RATE, momentum=momentum)
        for gradient, expected in zip(gradients, paths[name], strict=True):
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
            np.testing.assert_allclose(np.asarray(weight), expected, rtol=1e-5, atol=1e-6)
    print("agrees with Keras", keras.__version__)


def torch_path(make, start, gradients, clip=None):
    weight = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer, path = make([weight]), []
    for gradient in gradients:
        weight.grad = torch.from_numpy(gradient.copy())
        if clip:
            torch.nn.utils.clip_grad_norm_([weight], clip)
        optimizer.step()
        path.append(weight.detach().numpy().copy())
    return np.stack(path)


if __name__ == "__main__":
    random = np.random.default_rng(20261122)
    start = random.normal(size=(7, 11)).astype(np.float32)
    # Gradients of very different sizes, down to where epsilon matters.
    scale = 10.0 ** random.uniform(-5, 1, size=(1, 7, 11))
    gradients = (random.normal(size=(STEPS, 7, 11)) * scale).astype(np.float32)
    tensors = {"start": start, "gradients": gradients}
    for name, make in TORCH.items():
        tensors[name] = torch_path(make, start, gradients)
    tensors["sgd-clipped"] = torch_path(TORCH["sgd-momentum"], start, gradients, clip=1.0)
    for name, momentum in KERAS.items():
        tensors[name] = keras_rmsprop(start, gradients, momentum)
    check_against_keras(start, gradients, tensors)
    tensor_file.write(HERE / "optimizer.safetensors", tensors)
    print("written with torch", torch.__version__)
