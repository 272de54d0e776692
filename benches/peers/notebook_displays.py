"""What librosa with IPython.display.Audio, livelossplot and fastprogress show of a song and of a
training run, and what this project's cells show of the same; how long each takes, and its size.

    ./lab --prepare
    python -m venv peers
    peers/bin/pip install librosa livelossplot fastprogress ipykernel nbclient
    peers/bin/python benches/peers/notebook_displays.py SONG FOLDER

Executes two notebooks, one on Python's kernel and one on the lab's own, and prints a line for every
cell: seconds from the request to its end, and bytes of its output as the notebook's file holds it.
The cells are run three times and the quickest counts. The losses that the Python cells draw are
those of the training in the Rust notebook. FOLDER gets the executed notebooks.
"""

import json
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

CHECKOUT = Path(__file__).resolve().parents[2]
EPOCHS = 30
RUNS = 3

OURS = [
    ("load", 'use neural_composer::prelude::*;\nlet song = Song::open("{song}")?;'),
    ("song: player, waveform, spectrogram, facts", "song"),
    ("spectrogram", "song.spectrogram()?"),
    (
        "(prepare the training)",
        "let data = Dataset::from_songs(&[song.clone()], Recipe::Fast.dataset())?;\n"
        "let mut network = Recipe::Fast.network(&data, 1, &Device::cpu())?;",
    ),
    (
        "(train with the chart, once)",
        "let history = network.train(&data, Training {{ epochs: {epochs}, "
        "..Recipe::Fast.training(&data) }}.validation(0.1))?;",
    ),
    (
        "(write the losses)",
        'let pairs: Vec<String> = history.epochs.iter().map(|e| format!("[{{}},{{}}]", '
        "e.train_loss, e.validation_loss.unwrap_or(f64::NAN))).collect();\n"
        'std::fs::write("{folder}/losses.json", format!("[{{}}]", pairs.join(",")))?;',
    ),
    ("training chart, drawn once", "history"),
]
PEERS = [
    (
        "(import)",
        "import json, librosa, librosa.display, numpy as np, matplotlib.pyplot as plt\n"
        "from IPython.display import Audio, display\n%matplotlib inline",
    ),
    ("librosa: load", 'y, rate = librosa.load("{song}", sr=None, mono=False)'),
    ("IPython.display.Audio", "Audio(y, rate=rate)"),
    (
        "librosa: waveform",
        "figure = plt.figure(figsize=(9, 2))\nlibrosa.display.waveshow(y, sr=rate)\nplt.show()",
    ),
    (
        "librosa: spectrogram",
        "levels = librosa.amplitude_to_db(np.abs(librosa.stft(librosa.to_mono(y))), ref=np.max)\n"
        "figure = plt.figure(figsize=(9, 3))\n"
        "librosa.display.specshow(levels, sr=rate, x_axis='time', y_axis='mel')\n"
        "plt.colorbar(format='%+2.0f dB')\nplt.show()",
    ),
    ("(read the losses)", 'losses = json.load(open("{folder}/losses.json"))'),
    (
        "livelossplot: all epochs",
        "from livelossplot import PlotLosses\nplot = PlotLosses()\n"
        "for train, validation in losses:\n"
        "    plot.update({{'loss': train, 'val_loss': validation}})\n    plot.send()",
    ),
    (
        "fastprogress: all epochs",
        "from fastprogress.fastprogress import master_bar\nbar = master_bar(range(len(losses)))\n"
        "for epoch in bar:\n"
        "    x = range(epoch + 1)\n"
        "    bar.update_graph([[x, [t for t, _ in losses[:epoch + 1]]], "
        "[x, [v for _, v in losses[:epoch + 1]]]], [0, len(losses)], [0, 1.5])",
    ),
]


def size(cell):
    """Bytes of what the cell shows, in the notebook's file."""
    return sum(len(json.dumps(output)) for output in cell.outputs)


def execute(cells, kernel, names):
    """Every cell's fewest seconds, and its output's bytes; the notebook as it was in the end."""
    sources = [source.format(**names) for _, source in cells]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    client = NotebookClient(notebook, kernel_name=kernel, timeout=None, startup_timeout=3600)
    seconds = [float("inf")] * len(cells)
    with client.setup_kernel():
        for index, (title, _) in enumerate(cells):
            for _ in range(1 if title.startswith("(") else RUNS):
                started = time.perf_counter()
                client.execute_cell(notebook.cells[index], index)
                seconds[index] = min(seconds[index], time.perf_counter() - started)
    return seconds, notebook


def main():
    song, folder = (Path(argument).resolve() for argument in sys.argv[1:3])
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["JUPYTER_PATH"] = str(CHECKOUT / ".lab" / "python" / "share" / "jupyter")
    names = {"song": song, "folder": folder, "epochs": EPOCHS}
    for cells, kernel in [(OURS, "neural-composer"), (PEERS, "python3")]:
        seconds, notebook = execute(cells, kernel, names)
        nbformat.write(notebook, folder / f"{kernel}.ipynb")
        for (title, _), time_s, cell in zip(cells, seconds, notebook.cells, strict=True):
            print(f"{kernel:16} {title:46} {time_s:7.2f} s {size(cell):10} bytes", flush=True)


if __name__ == "__main__":
    main()
