//! Training epochs of recurrent networks: ours, candle-nn's, PyTorch's and Keras's, in one run.
//!
//! ```text
//! PEERS_PYTHON=/path/to/python cargo bench --bench recurrent -- [FILTER...] [--rounds N] [--against NAME...]
//!     [--device cpu|cuda] [--precision f32|tf32|bf16] [--batch N...] [--json]
//! ```
//!
//! `PEERS_PYTHON` names a Python with torch and/or keras (`KERAS_PYTHON` another one for Keras, if the
//! two do not live together); what is not installed is left out. A filter is a part of a line's name:
//! `course`, `lstm`, `wide`. `--against` names contenders (`PyTorch`, `Keras`, `candle-nn`), all by
//! default. They take turns, round after round, so that what else the machine does falls on all alike;
//! medians, their ratios, and the ratios of the best rounds are printed, and apart from them the first
//! epoch of each, in which Keras traces and compiles its graph. A machine that others work on
//! disturbs contenders with many threads most: trust the figures of a quiet one, or the processor time
//! of all threads (the least of a round, which waiting in a loop adds to), most of all with one thread
//! each: `RAYON_NUM_THREADS=1 OMP_NUM_THREADS=1 PEERS_THREADS=1`.
//!
//! On a card both sides are waited for before a clock is read, and both multiply in the same precision
//! (bf16: PyTorch's autocast; the other two have no such setting and are left out).
//! `--batch` takes the place of a shape's own; `--json` prints a line for each contender, for programs.

mod cost;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use candle_core::{DType, Tensor, Var};
use candle_nn::rnn::{GRUConfig, LSTMConfig, RNN};
use candle_nn::{Linear, Module, Optimizer as _, VarBuilder, VarMap};
use cost::Cost;
use neural_composer::model::dense::Dense;
use neural_composer::model::recurrent::{Cell, Recurrent};
use neural_composer::model::{Device, Precision};
use neural_composer::train::loss::mean_squared_error;
use neural_composer::train::optimizer::{Optimizer, RmsProp, Rule};
use neural_composer::{Error, Result};

/// A network and the data of one epoch.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    features: usize,
    /// A dense layer from the features to the hidden units comes first.
    dense_in: bool,
    hidden: usize,
    layers: usize,
    steps: usize,
    batch: usize,
    batches: usize,
}

const SHAPES: [Shape; 3] = [
    Shape {
        name: "course-1-layer",
        features: 22050,
        dense_in: true,
        hidden: 1024,
        layers: 1,
        steps: 40,
        batch: 5,
        batches: 4,
    },
    Shape {
        name: "course-3-layers",
        features: 22050,
        dense_in: true,
        hidden: 1024,
        layers: 3,
        steps: 40,
        batch: 5,
        batches: 4,
    },
    Shape {
        name: "wide-batch",
        features: 256,
        dense_in: false,
        hidden: 256,
        layers: 3,
        steps: 200,
        batch: 32,
        batches: 4,
    },
];

const KINDS: [Cell; 3] = [Cell::Lstm, Cell::Gru, Cell::SimpleRnn];
const RATE: f64 = 1e-4;

impl Shape {
    fn data(&self, device: &Device) -> Result<(Tensor, Tensor)> {
        let shape = (self.batch, self.steps, self.features);
        let draw = || Tensor::randn(0f32, 1., shape, device.candle());
        Ok((draw()?, draw()?))
    }

    /// Multiplications and additions of the matrix products of one epoch, forwards and backwards.
    fn operations(&self, cell: Cell) -> f64 {
        let rows = (self.batch * self.steps * self.batches) as f64;
        let dense = (self.features * self.hidden) as f64;
        // Each weight takes part in three products; the first layer's input needs no gradient.
        let first = if self.dense_in { self.hidden } else { self.features };
        let mut weights = 3. * dense + if self.dense_in { 2. * dense } else { 0. };
        for layer in 0..self.layers {
            let width = if layer == 0 { first } else { self.hidden };
            let rows_of_weight = (cell.gates() * self.hidden) as f64;
            let input_products = if layer == 0 && !self.dense_in { 2. } else { 3. };
            weights += rows_of_weight * (input_products * width as f64 + 3. * self.hidden as f64);
        }
        2. * rows * weights
    }
}

/// Where, and how exactly products are computed.
#[derive(Clone)]
struct Place {
    device: Device,
    precision: Precision,
}

impl Place {
    /// What `work` costs, to the end of all that the device was told to do.
    fn cost_of(&self, work: impl FnOnce() -> Result<()>) -> Result<Cost> {
        Cost::of(|| {
            self.precision.during(work)?;
            Ok(self.device.candle().synchronize()?)
        })
    }
}

/// Something that can train for an epoch.
trait Contender {
    fn epoch(&mut self) -> Result<Cost>;
}

struct Ours {
    shape: Shape,
    place: Place,
    dense_in: Option<Dense>,
    layers: Vec<Recurrent>,
    dense_out: Dense,
    optimizer: Optimizer,
    data: (Tensor, Tensor),
}

impl Ours {
    fn new(shape: Shape, cell: Cell, place: &Place) -> Result<Self> {
        let device = place.device.candle();
        let mut parameters = Vec::new();
        let mut draw = |dims: &[usize], width: usize| -> Result<Tensor> {
            let bound = 1. / (width as f32).sqrt();
            let value = Var::from_tensor(&Tensor::rand(-bound, bound, dims, device)?)?;
            parameters.push((parameters.len().to_string(), value.clone()));
            Ok(value.as_tensor().clone())
        };
        let mut dense = |outputs, inputs| -> Result<Dense> {
            Dense::new(draw(&[outputs, inputs], inputs)?, draw(&[outputs], inputs)?)
        };
        let dense_in =
            if shape.dense_in { Some(dense(shape.hidden, shape.features)?) } else { None };
        let dense_out = dense(shape.features, shape.hidden)?;
        let mut layers = Vec::new();
        for layer in 0..shape.layers {
            let width = if layer == 0 && !shape.dense_in { shape.features } else { shape.hidden };
            let rows = cell.gates() * shape.hidden;
            layers.push(Recurrent::new(
                cell,
                draw(&[rows, width], shape.hidden)?,
                draw(&[rows, shape.hidden], shape.hidden)?,
                draw(&[rows], shape.hidden)?,
                draw(&[rows], shape.hidden)?,
            )?);
        }
        let optimizer = Optimizer::new(Rule::RmsProp(RmsProp::default()), parameters)?;
        let data = shape.data(&place.device)?;
        Ok(Self { shape, place: place.clone(), dense_in, layers, dense_out, optimizer, data })
    }
}

impl Contender for Ours {
    fn epoch(&mut self) -> Result<Cost> {
        self.place.clone().cost_of(|| {
            for _ in 0..self.shape.batches {
                let mut values = match &self.dense_in {
                    Some(layer) => layer.forward(&self.data.0)?,
                    None => self.data.0.clone(),
                };
                for layer in &self.layers {
                    values = layer.forward(&values, None)?.0;
                }
                let loss = mean_squared_error(&self.dense_out.forward(&values)?, &self.data.1)?;
                self.optimizer.backward_step(&loss, RATE)?;
            }
            Ok(())
        })
    }
}

struct CandleNn {
    shape: Shape,
    place: Place,
    dense_in: Option<Linear>,
    layers: Vec<Layer>,
    dense_out: Linear,
    optimizer: candle_nn::AdamW,
    data: (Tensor, Tensor),
}

enum Layer {
    Lstm(candle_nn::rnn::LSTM),
    Gru(candle_nn::rnn::GRU),
}

impl Layer {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Lstm(lstm) => lstm.states_to_tensor(&lstm.seq(input)?)?,
            Self::Gru(gru) => {
                let states: Vec<_> = gru.seq(input)?.iter().map(|s| s.h().clone()).collect();
                Tensor::stack(&states, 1)?
            }
        })
    }
}

impl CandleNn {
    /// `None` for a kind that candle-nn does not have.
    fn new(shape: Shape, cell: Cell, place: &Place) -> Result<Option<Self>> {
        let variables = VarMap::new();
        let builder = VarBuilder::from_varmap(&variables, DType::F32, place.device.candle());
        let dense_in = if shape.dense_in {
            Some(candle_nn::linear(shape.features, shape.hidden, builder.pp("in"))?)
        } else {
            None
        };
        let mut layers = Vec::new();
        for layer in 0..shape.layers {
            let width = if layer == 0 && !shape.dense_in { shape.features } else { shape.hidden };
            let part = builder.pp(format!("layer{layer}"));
            layers.push(match cell {
                Cell::Lstm => Layer::Lstm(candle_nn::rnn::lstm(
                    width,
                    shape.hidden,
                    LSTMConfig::default(),
                    part,
                )?),
                Cell::Gru => {
                    let config = GRUConfig::default();
                    Layer::Gru(candle_nn::rnn::gru(width, shape.hidden, config, part)?)
                }
                _ => return Ok(None),
            });
        }
        let dense_out = candle_nn::linear(shape.hidden, shape.features, builder.pp("out"))?;
        let optimizer = candle_nn::AdamW::new_lr(variables.all_vars(), RATE)?;
        let (place, data) = (place.clone(), shape.data(&place.device)?);
        Ok(Some(Self { shape, place, dense_in, layers, dense_out, optimizer, data }))
    }
}

impl Contender for CandleNn {
    fn epoch(&mut self) -> Result<Cost> {
        self.place.clone().cost_of(|| {
            for _ in 0..self.shape.batches {
                let mut values = match &self.dense_in {
                    Some(layer) => layer.forward(&self.data.0)?,
                    None => self.data.0.clone(),
                };
                for layer in &self.layers {
                    values = layer.forward(&values)?;
                }
                let loss = candle_nn::loss::mse(&self.dense_out.forward(&values)?, &self.data.1)?;
                self.optimizer.backward_step(&loss)?;
            }
            Ok(())
        })
    }
}

/// A peer in Python, which trains one epoch for each line it is sent.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// `None` if there is no such Python, or it lacks the peer.
    fn new(variable: &str, script: &str, shape: Shape, cell: Cell, place: &Place) -> Option<Self> {
        let python = std::env::var(variable).or_else(|_| std::env::var("PEERS_PYTHON")).ok()?;
        // Where cargo, or who carried the built benchmark elsewhere, says.
        let checkout = std::env::var("CARGO_MANIFEST_DIR");
        let checkout = checkout.unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        let script = format!("{checkout}/benches/peers/{script}");
        let settings = serde_json::json!({
            "kind": cell.name(),
            "features": shape.features,
            "dense_in": shape.dense_in,
            "hidden": shape.hidden,
            "layers": shape.layers,
            "steps": shape.steps,
            "batch": shape.batch,
            "batches": shape.batches,
            "rate": RATE,
            "device": if place.device.is_cpu() { "cpu" } else { "cuda" },
            "precision": place.precision.name(),
        });
        let mut child = Command::new(python)
            .args([script, settings.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (input, output) = (child.stdin.take()?, child.stdout.take()?);
        let mut peer = Self { child, input, output: BufReader::new(output) };
        let mut line = String::new();
        let ready = peer.output.read_line(&mut line).is_ok() && line.trim() == "ready";
        ready.then_some(peer)
    }
}

impl Contender for Peer {
    fn epoch(&mut self) -> Result<Cost> {
        let broken = || Error::Data("a peer stopped answering".into());
        writeln!(self.input, "epoch").map_err(|_| broken())?;
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|_| broken())?;
        let mut seconds = line.split_whitespace().map(|number| number.parse::<f64>());
        match (seconds.next(), seconds.next()) {
            (Some(Ok(wall)), Some(Ok(processor))) => Ok(Cost { wall, processor }),
            _ => Err(broken()),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Seconds that one matrix product of the course's dense layer takes, times the epoch's operations over
/// its own: what the epoch would take if nothing but matrix products at that rate were done.
struct MatrixLimit {
    place: Place,
    left: Tensor,
    right: Tensor,
    factor: f64,
}

impl MatrixLimit {
    fn new(shape: Shape, cell: Cell, place: &Place) -> Result<Self> {
        let (rows, inner, columns) = (1024, 1024, 4096);
        let draw = |dims| Tensor::randn(0f32, 1., dims, place.device.candle());
        let operations = 2. * (rows * inner * columns) as f64;
        Ok(Self {
            place: place.clone(),
            left: draw((rows, inner))?,
            right: draw((inner, columns))?,
            factor: shape.operations(cell) / operations,
        })
    }
}

impl Contender for MatrixLimit {
    fn epoch(&mut self) -> Result<Cost> {
        let Cost { wall, processor } = self.place.cost_of(|| {
            for _ in 0..4 {
                self.left.matmul(&self.right)?;
            }
            Ok(())
        })?;
        let factor = self.factor / 4.;
        Ok(Cost { wall: wall * factor, processor: processor * factor })
    }
}

/// Of all rounds.
struct Figures {
    /// The round that fills caches and compiles graphs, which the others leave out.
    first: f64,
    median: f64,
    best: f64,
    /// The least of a round.
    processor: f64,
}

impl Figures {
    fn new(costs: &[Cost]) -> Self {
        let first = costs[0].wall;
        let costs = &costs[1..];
        let mut walls: Vec<f64> = costs.iter().map(|cost| cost.wall).collect();
        walls.sort_by(f64::total_cmp);
        let least = |least: f64, cost: &Cost| least.min(cost.processor);
        Self {
            first,
            median: walls[walls.len() / 2],
            best: walls[0],
            processor: costs.iter().fold(f64::INFINITY, least),
        }
    }
}

/// What is asked for on the command line.
struct Wanted {
    rounds: usize,
    filters: Vec<String>,
    against: Vec<String>,
    /// In place of each shape's own.
    batches: Vec<usize>,
    place: Place,
    json: bool,
}

fn compare(shape: Shape, cell: Cell, wanted: &Wanted) -> Result<()> {
    let Wanted { against, place, .. } = wanted;
    let is_wanted = |name: &str| {
        let can = name == "PyTorch" || place.precision != Precision::Bf16;
        can && (against.is_empty() || against.iter().any(|other| other == name))
    };
    let mut contenders: Vec<(&str, Box<dyn Contender>)> =
        vec![("ours", Box::new(Ours::new(shape, cell, place)?))];
    let mut peers = vec![("PyTorch", "PEERS_PYTHON", "pytorch.py")];
    if place.device.is_cpu() {
        peers.push(("Keras", "KERAS_PYTHON", "keras_tensorflow.py"));
    }
    for (name, variable, script) in peers {
        if is_wanted(name)
            && let Some(peer) = Peer::new(variable, script, shape, cell, place)
        {
            contenders.push((name, Box::new(peer)));
        }
    }
    if is_wanted("candle-nn")
        && let Some(candle) = CandleNn::new(shape, cell, place)?
    {
        contenders.push(("candle-nn", Box::new(candle)));
    }
    contenders.push(("matrix products alone", Box::new(MatrixLimit::new(shape, cell, place)?)));
    let mut costs = vec![Vec::new(); contenders.len()];
    for _ in 0..=wanted.rounds {
        for ((_, contender), costs) in contenders.iter_mut().zip(&mut costs) {
            costs.push(contender.epoch()?);
        }
    }
    let figures: Vec<Figures> = costs.iter().map(|costs| Figures::new(costs)).collect();
    let ours = &figures[0];
    if wanted.json {
        for ((name, _), it) in contenders.iter().zip(&figures) {
            let line = serde_json::json!({
                "shape": shape.name,
                "cell": cell.name(),
                "batch": shape.batch,
                "precision": place.precision.name(),
                "device": place.device.to_string(),
                "contender": name,
                "seconds": it.median,
                "ours_to_it": ours.median / it.median,
                "first_seconds": it.first,
                "processor_seconds": it.processor,
            });
            println!("{line}");
        }
        return Ok(());
    }
    println!("{} {cell}, batch {}, {}", shape.name, shape.batch, place.device);
    for ((name, _), it) in contenders.iter().zip(&figures) {
        println!(
            "  {name:22} {:8.3} s   ours / it = {:5.2}   (best rounds {:5.2})   \
             processor {:8.3} s, ours / it = {:5.2}   (first epoch {:.3} s, {:.2})",
            it.median,
            ours.median / it.median,
            ours.best / it.best,
            it.processor,
            ours.processor / it.processor,
            it.first,
            ours.first / it.first
        );
    }
    Ok(())
}

impl Wanted {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut wanted = Self {
            rounds: 5,
            filters: Vec::new(),
            against: Vec::new(),
            batches: Vec::new(),
            place: Place { device: Device::cpu(), precision: Precision::F32 },
            json: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = |name: &'static str, expected: &str| {
                let found = arguments.next().unwrap_or_default();
                let wrong = Error::argument(name, expected, found.clone());
                if found.is_empty() { Err(wrong) } else { Ok((found, wrong)) }
            };
            let number = |(found, wrong): (String, Error)| {
                found.parse().ok().filter(|number| *number > 0).ok_or(wrong)
            };
            match argument.as_str() {
                "--bench" => (),
                "--json" => wanted.json = true,
                "--rounds" => wanted.rounds = number(value("--rounds", "1 or more")?)?,
                "--batch" => wanted.batches.push(number(value("--batch", "1 or more")?)?),
                "--against" => {
                    wanted.against.push(value("--against", "PyTorch, Keras or candle-nn")?.0);
                }
                "--device" => wanted.place.device = value("--device", "cpu or cuda")?.0.parse()?,
                "--precision" => {
                    wanted.place.precision =
                        value("--precision", "f32, tf32 or bf16")?.0.parse()?;
                }
                _ => wanted.filters.push(argument),
            }
        }
        Ok(wanted)
    }
}

fn main() -> Result<()> {
    let wanted = Wanted::read(std::env::args().skip(1))?;
    for shape in SHAPES {
        let batches =
            if wanted.batches.is_empty() { vec![shape.batch] } else { wanted.batches.clone() };
        for cell in KINDS {
            let name = format!("{} {cell}", shape.name);
            if wanted.filters.iter().all(|filter| name.contains(filter.as_str())) {
                for batch in &batches {
                    compare(Shape { batch: *batch, ..shape }, cell, &wanted)?;
                }
            }
        }
    }
    Ok(())
}
