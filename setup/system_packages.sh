# shellcheck shell=bash
# What the lab needs from the operating system. Sourced by ./lab and ./test.

has_speaker_headers() {
  [[ $(uname) == Darwin ]] || pkg-config --exists alsa 2>/dev/null
}

has_python_venv() {
  python3 -c 'import ensurepip, venv' 2>/dev/null
}

c_compiler_advice() {
  case $(uname) in
    Darwin) echo "run xcode-select --install" ;;
    *) echo "install it (Debian, Ubuntu: apt-get install build-essential)" ;;
  esac
}

# Installs what is missing, where it may; says the exact command where it may not. Only what
# nothing can go on without stops the lab.
ensure_system_packages() {
  local missing=()
  if ! has_speaker_headers; then
    command -v pkg-config >/dev/null || missing+=(pkg-config)
    missing+=(libasound2-dev)
  fi
  has_python_venv || missing+=(python3-venv)
  command -v cc >/dev/null || [[ $(uname) == Darwin ]] || missing+=(build-essential)
  [[ ${#missing[@]} == 0 ]] || install_with_apt "${missing[@]}" || true

  has_speaker_headers || echo "Going on without the speaker: notebooks play sound in the browser," \
    "but play() is not there. Once the packages are installed, run ./lab again."
  has_python_venv || stop "Python cannot make environments here: its venv module is missing
  (Debian, Ubuntu: apt-get install python3-venv)."
}

# Whether trainings over several processes can be built and started: an MPI, and libclang to read its
# headers with.
has_mpi() {
  command -v mpirun >/dev/null && command -v mpicc >/dev/null || return
  local library
  for library in "${LIBCLANG_PATH-}"/libclang*.so* /usr/lib{,64,/*,/llvm-*/lib}/libclang*.so*; do
    if [[ -e $library ]]; then return 0; fi
  done
  return 1
}

# A browser that can be driven, one of those that tests/browser/browser.py looks for.
has_browser() {
  [[ -z ${CHROMIUM-} ]] || return 0
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable microsoft-edge; do
    if command -v "$name" >/dev/null; then return 0; fi
  done
  [[ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ]]
}

install_with_apt() {
  local sudo=() install=(apt-get install --yes "$@")
  if ! command -v apt-get >/dev/null; then
    echo "Missing: $*. Install them with your system's package manager, for example"
    echo "  Fedora: sudo dnf install alsa-lib-devel pkgconf-pkg-config gcc"
    echo "  Arch:   sudo pacman -S --needed alsa-lib pkgconf gcc"
    return 1
  fi
  if [[ $(id -u) != 0 ]]; then
    sudo=(sudo)
    # Without a terminal nobody can type a password.
    [[ -t 0 ]] || sudo+=(--non-interactive)
    if ! command -v sudo >/dev/null || ! "${sudo[@]}" true 2>/dev/null; then
      echo "Missing system packages. Somebody with the right to has to run"
      echo "  sudo ${install[*]}"
      return 1
    fi
  fi
  echo "Missing system packages: $*. Installing them with"
  echo "  ${sudo[*]+${sudo[*]} }apt-get update"
  echo "  ${sudo[*]+${sudo[*]} }${install[*]}"
  ${sudo[@]+"${sudo[@]}"} apt-get update --quiet || echo "  (the package lists could not be updated)"
  ${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive "${install[@]}" </dev/null
}

# Puts nvcc into PATH when the toolkit lies in its usual place.
find_cuda_toolkit() {
  command -v nvcc >/dev/null && return
  local toolkit=${CUDA_HOME:-/usr/local/cuda}
  [[ -x $toolkit/bin/nvcc ]] || return 1
  export PATH=$PATH:$toolkit/bin
}

announce_gpu() {
  local gpu
  gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1) || return 0
  if [[ -n $gpu ]] && find_cuda_toolkit; then
    echo "This machine has a GPU ($gpu) and the CUDA toolkit: ./lab --cuda uses them."
  fi
}

# Says for which card ./lab --cuda builds and how long that takes; stops where nobody says which.
announce_cuda_build() {
  find_cuda_toolkit || stop "--cuda: expected NVIDIA's CUDA toolkit (nvcc in PATH or in
  /usr/local/cuda/bin), found none. Install it, or run ./lab without --cuda."
  local card
  card=$(nvidia-smi --query-gpu=name,compute_cap --format=csv,noheader 2>/dev/null | head -n 1) || card=
  if [[ -n ${CUDA_COMPUTE_CAP-} ]]; then
    echo "Builds for CUDA cards of compute capability $CUDA_COMPUTE_CAP (CUDA_COMPUTE_CAP)."
  elif [[ -n $card ]]; then
    echo "Builds for the card that is there: ${card%,*}, compute capability${card##*,}."
  else
    stop "--cuda: expected an NVIDIA card (nvidia-smi), found none. To build for one elsewhere, say its
  compute capability: CUDA_COMPUTE_CAP=90 ./lab --cuda (80: A100; 86, 89: RTX 30, 40; 90: H100)."
  fi
  echo "The first build takes long, mostly NVIDIA's compiler: about 45 minutes on two cores, once."
}
