//! The CUDA kernels compiled for the processor, and called.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;

use libloading::Library;
use neural_composer::model::recurrent::Cell;

/// Lanes of a block in all launches of recurrent passes.
const LANES: u32 = 8;

/// Compiles a source of this folder into another one.
pub fn compile(source: &str, folder: &Path, options: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let compiled = folder.join("compiled");
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let output = Command::new(&compiler)
        .args(["-std=c++17", "-O2", "-Wall", "-Wextra", "-pthread"])
        .args(options)
        .arg("-I")
        .arg(root.join("src/compute/cuda"))
        .args(["-x", "c++"])
        .arg(root.join("tests/host_kernels").join(source))
        .arg("-o")
        .arg(&compiled)
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "no C++ compiler {}: {error}; install one (Debian: g++), or name one in CXX",
                compiler.display()
            )
        });
    assert!(output.status.success(), "{source}:\n{}", String::from_utf8_lossy(&output.stderr));
    compiled
}

/// A folder that is gone with the value; what was loaded from it stays loaded.
pub fn temporary_folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the tests' folder can be written")
}

/// `Forward` of gates.cu.
#[repr(C)]
struct ForwardPass {
    sizes: [u32; 5],
    weight_hh: *const f32,
    bias: *const f32,
    initial_hidden: *const f32,
    initial_cell: *const f32,
    gates: *mut f32,
    outputs: *mut f32,
    cells: *mut f32,
    words: *mut u64,
}

/// `Backward` of gates.cu.
#[repr(C)]
struct BackwardPass {
    sizes: [u32; 5],
    weight_hh: *const f32,
    initial_hidden: *const f32,
    initial_cell: *const f32,
    gates: *const f32,
    outputs: *const f32,
    cells: *const f32,
    output_gradient: *const f32,
    gate_gradient: *mut f32,
    hidden_gradient: *mut f32,
    cell_gradient: *mut f32,
    words: *mut u64,
}

/// `Parameter` of optimizer.cu.
#[repr(C)]
struct ParameterRow {
    weights: *mut f32,
    gradient: *const f32,
    first: *mut f32,
    second: *mut f32,
    count: u64,
    first_chunk: u64,
}

/// `Settings` of optimizer.cu.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub rule: i32,
    pub nesterov: i32,
    pub keep: f32,
    pub add: f32,
    pub mean_keep: f32,
    pub mean_add: f32,
    pub epsilon: f32,
    pub momentum: f32,
    pub decay: f32,
    pub shrink: f32,
    pub rate: f32,
    pub root_of_bias: f32,
}

/// A parameter with its gradient and memories.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub weights: Vec<f32>,
    pub gradient: Vec<f32>,
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}

/// How a pass is launched.
#[derive(Clone, Copy, Debug)]
pub enum Launch {
    /// One launch for all steps: units of a block, sequences at a time.
    Persistent { units_per_block: usize, tile: usize },
    /// A launch for each step, of so many blocks.
    Stepwise { blocks: u32 },
}

/// A layer's sizes.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub cell: Cell,
    pub batch: usize,
    pub steps: usize,
    pub units: usize,
}

impl Extent {
    pub const fn rows(self) -> usize {
        self.cell.gates() * self.units
    }

    pub const fn row(self) -> usize {
        match self.cell {
            Cell::Gru | Cell::Lstm => 4 * self.units,
            Cell::SimpleRnn | Cell::SimpleRnnRelu => self.units,
        }
    }

    /// Where the gates that the state feeds begin in a row.
    pub const fn hidden_start(self) -> usize {
        match self.cell {
            Cell::Gru => self.units,
            Cell::SimpleRnn | Cell::SimpleRnnRelu | Cell::Lstm => 0,
        }
    }

    const fn number_of_cell(self) -> i32 {
        match self.cell {
            Cell::SimpleRnn => 0,
            Cell::SimpleRnnRelu => 1,
            Cell::Gru => 2,
            Cell::Lstm => 3,
        }
    }

    /// The numbers that both passes begin with, and the blocks.
    fn sizes(self, launch: Launch) -> ([u32; 5], u32) {
        let (units_per_block, tile, blocks) = match launch {
            Launch::Persistent { units_per_block, tile } => {
                (units_per_block, tile, self.units.div_ceil(units_per_block) as u32)
            }
            Launch::Stepwise { blocks } => (0, 0, blocks),
        };
        let sizes = [self.batch, self.steps, self.units, units_per_block, tile];
        (sizes.map(|size| size as u32), blocks)
    }

    /// Words of an exchange of `width` values of each sequence; none without an exchange.
    fn words(self, launch: Launch, width: usize) -> Vec<u64> {
        match launch {
            Launch::Persistent { .. } => vec![0; 2 * self.batch * width],
            Launch::Stepwise { .. } => Vec::new(),
        }
    }
}

/// What a pass forwards reads.
#[derive(Debug)]
pub struct Given {
    pub weight_hh: Vec<f32>,
    pub bias: Vec<f32>,
    pub hidden: Vec<f32>,
    pub cell: Vec<f32>,
    pub projected: Vec<f32>,
}

/// What a pass forwards leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    pub gates: Vec<f32>,
    pub outputs: Vec<f32>,
    pub cells: Vec<f32>,
}

/// What a pass backwards leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    pub gates: Vec<f32>,
    pub hidden: Vec<f32>,
    pub cell: Vec<f32>,
}

/// The address of values that are changed; null of none.
fn address<T>(values: &mut [T]) -> *mut T {
    if values.is_empty() { ptr::null_mut() } else { values.as_mut_ptr() }
}

/// The compiled kernels.
#[derive(Debug)]
pub struct Kernels(Library);

impl Kernels {
    pub fn compile() -> Self {
        let folder = temporary_folder();
        let path = compile("launch.cpp", folder.path(), &["-shared", "-fPIC"]);
        // SAFETY: the library was compiled from launch.cpp a moment ago; loading it runs no code but
        // that of the C++ library.
        Self(unsafe { Library::new(path) }.expect("the compiled kernels are a library"))
    }

    pub fn forward(&self, extent: Extent, launch: Launch, given: &Given) -> Left {
        let state = extent.batch * extent.units;
        assert_eq!(given.weight_hh.len(), extent.rows() * extent.units);
        assert_eq!((given.bias.len(), given.hidden.len()), (extent.row(), state));
        assert_eq!(given.projected.len(), extent.batch * extent.steps * extent.row());
        let has_cell = extent.cell.has_cell_state();
        assert_eq!(given.cell.len(), if has_cell { state } else { 0 });
        let mut left = Left {
            gates: given.projected.clone(),
            outputs: vec![f32::NAN; state * extent.steps],
            cells: vec![f32::NAN; given.cell.len() * extent.steps],
        };
        let mut words = extent.words(launch, extent.units);
        let (sizes, blocks) = extent.sizes(launch);
        let pass = ForwardPass {
            sizes,
            weight_hh: given.weight_hh.as_ptr(),
            bias: given.bias.as_ptr(),
            initial_hidden: given.hidden.as_ptr(),
            initial_cell: given.cell.as_ptr(),
            gates: left.gates.as_mut_ptr(),
            outputs: left.outputs.as_mut_ptr(),
            cells: address(&mut left.cells),
            words: address(&mut words),
        };
        // SAFETY: the type is that of `run_forward` in launch.cpp, and `ForwardPass` is laid out as
        // `Forward` in gates.cu. All slices have the lengths that the sizes ask for, as was asserted or
        // made so, live until the call returns, and nothing else touches those that are changed.
        unsafe {
            let run: libloading::Symbol<
                '_,
                unsafe extern "C" fn(i32, u32, u32, *const ForwardPass),
            > = self.0.get(b"run_forward").expect("launch.cpp has it");
            run(extent.number_of_cell(), blocks, LANES, &raw const pass);
        }
        left
    }

    /// `cell_gradient`: of the last cell values (LSTM; else empty).
    pub fn backward(
        &self,
        extent: Extent,
        launch: Launch,
        given: &Given,
        left: &Left,
        output_gradient: &[f32],
        cell_gradient: &[f32],
    ) -> Gradients {
        let state = extent.batch * extent.units;
        assert_eq!(given.weight_hh.len(), extent.rows() * extent.units);
        assert_eq!((given.hidden.len(), left.outputs.len()), (state, state * extent.steps));
        assert_eq!(output_gradient.len(), left.outputs.len());
        assert_eq!(left.gates.len(), extent.batch * extent.steps * extent.row());
        let has_cell = extent.cell.has_cell_state();
        assert_eq!(given.cell.len(), if has_cell { state } else { 0 });
        assert_eq!(left.cells.len(), given.cell.len() * extent.steps);
        assert_eq!(cell_gradient.len(), given.cell.len());
        let mut gradients = Gradients {
            gates: vec![f32::NAN; left.gates.len()],
            hidden: vec![0.; state],
            cell: cell_gradient.to_vec(),
        };
        let mut words = extent.words(launch, extent.rows());
        let (sizes, blocks) = extent.sizes(launch);
        let pass = BackwardPass {
            sizes,
            weight_hh: given.weight_hh.as_ptr(),
            initial_hidden: given.hidden.as_ptr(),
            initial_cell: given.cell.as_ptr(),
            gates: left.gates.as_ptr(),
            outputs: left.outputs.as_ptr(),
            cells: left.cells.as_ptr(),
            output_gradient: output_gradient.as_ptr(),
            gate_gradient: gradients.gates.as_mut_ptr(),
            hidden_gradient: gradients.hidden.as_mut_ptr(),
            cell_gradient: address(&mut gradients.cell),
            words: address(&mut words),
        };
        // SAFETY: as in `forward`, for `run_backward`, `BackwardPass` and `Backward`.
        unsafe {
            let run: libloading::Symbol<
                '_,
                unsafe extern "C" fn(i32, u32, u32, *const BackwardPass),
            > = self.0.get(b"run_backward").expect("launch.cpp has it");
            run(extent.number_of_cell(), blocks, LANES, &raw const pass);
        }
        gradients
    }

    /// One step of an optimizer, clipped at `limit`, if `loss` is a number or is not given; gives the norm
    /// of all gradients.
    pub fn step(
        &self,
        blocks: u32,
        parameters: &mut [Parameter],
        settings: &Settings,
        limit: f64,
        loss: Option<f32>,
    ) -> f64 {
        let mut rows: Vec<_> = parameters
            .iter_mut()
            .map(|parameter| {
                let count = parameter.weights.len();
                assert!(count > 0);
                let memories = [&parameter.gradient, &parameter.first, &parameter.second];
                assert!(memories.iter().all(|values| values.len() == count));
                ParameterRow {
                    weights: parameter.weights.as_mut_ptr(),
                    gradient: parameter.gradient.as_ptr(),
                    first: parameter.first.as_mut_ptr(),
                    second: parameter.second.as_mut_ptr(),
                    count: count as u64,
                    first_chunk: 0,
                }
            })
            .collect();
        // SAFETY: the type is that of `run_optimizer` in launch.cpp; `ParameterRow` and `Settings` are
        // laid out as `Parameter` and `Settings` in optimizer.cu. All values of a parameter are as many
        // as `count`, live until the call returns, and nothing else touches them.
        unsafe {
            let run: libloading::Symbol<
                '_,
                unsafe extern "C" fn(
                    u32,
                    *mut ParameterRow,
                    u32,
                    *const Settings,
                    f64,
                    *const f32,
                ) -> f64,
            > = self.0.get(b"run_optimizer").expect("launch.cpp has it");
            let loss = loss.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
            run(blocks, rows.as_mut_ptr(), rows.len() as u32, settings, limit, loss)
        }
    }
}
