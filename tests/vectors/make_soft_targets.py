"""Makes soft_targets.safetensors: what PyTorch computes for cross-entropy with soft targets.

usage: python3 tests/vectors/make_soft_targets.py    (needs numpy, torch)
"""

from pathlib import Path

import numpy as np
import torch
from tensor_file import write

random = np.random.default_rng(7)
rows, candidates, per_row = 5, 11, 3
logits = torch.tensor(3 * random.standard_normal((rows, candidates)), dtype=torch.float32)
logits.requires_grad_(True)
chosen = np.stack([random.choice(candidates, per_row, replace=False) for _ in range(rows)])
shares = random.dirichlet(np.ones(per_row), rows).astype(np.float32)
targets = torch.zeros(rows, candidates)
targets.scatter_(1, torch.tensor(chosen), torch.tensor(shares))
loss = torch.nn.functional.cross_entropy(logits, targets)
(1.5 * loss).backward()
write(
    Path(__file__).with_name("soft_targets.safetensors"),
    {
        "logits": logits.detach().numpy(),
        "candidates": chosen.astype(np.int64),
        "shares": shares,
        "loss": np.array([loss.item()], dtype=np.float32),
        "slope": logits.grad.numpy(),
    },
)
