#!/usr/bin/env bash
# Builds the Dockerfile and looks at the lab in it, where a container engine answers. Run by ./test;
# sourced for `container_engine`. The exit status is 0 when all is well, 1 when something is not,
# and 77 when no engine answers, which is said.

# The engine's name and version. Docker's program alone can do nothing without its service.
container_engine() {
  local version
  if version=$(docker version --format '{{.Server.Version}}' 2>/dev/null) && [[ -n $version ]]; then
    echo "docker $version"
  elif version=$(podman info --format '{{.Version.Version}}' 2>/dev/null) && [[ -n $version ]]; then
    echo "podman $version"
  else
    return 1
  fi
}

wrong() {
  echo "setup/containers.sh: $*" >&2
  exit 1
}

# ask PORT PATH: the status and the answer of the lab's server, or nothing.
ask() {
  python3 - "http://127.0.0.1:$1/$2" <<'ASK'
import sys, urllib.error, urllib.request
try:
    with urllib.request.urlopen(sys.argv[1], timeout=10) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as refusal:
    print(refusal.code)
except OSError:
    pass
ASK
}

# The token in the address that the lab prints, once it has.
token_of() {
  local engine=$1 container=$2 token
  for _ in {1..90}; do
    token=$("$engine" logs "$container" 2>&1 | grep --only-matching --max-count=1 'token=[0-9a-f][0-9a-f]*')
    if [[ -n $token ]]; then
      echo "$token"
      return
    fi
    sleep "${CONTAINERS_PAUSE-1}"
  done
  return 1
}

check_image() {
  local engine=$1 image=neural-composer:test port token user
  "$engine" build --tag "$image" . || wrong "the image could not be built"
  container=$("$engine" run --detach --publish 127.0.0.1::8888 "$image") ||
    wrong "the container did not start"
  # shellcheck disable=SC2064 # These two, and now.
  trap "'$engine' rm --force '$container' >/dev/null" EXIT
  port=$("$engine" port "$container" 8888/tcp | head -n 1)
  port=${port##*:}
  token=$(token_of "$engine" "$container") ||
    wrong "expected an address with a token in the container's output, found none"
  user=$("$engine" exec "$container" id -u)
  [[ $user != 0 && -n $user ]] || wrong "expected a user who is not root, found '$user'"
  [[ $(ask "$port" api/contents) == 403 ]] || wrong "expected 403 without the token, found another"
  [[ $(ask "$port" "api/kernelspecs?$token") == 200*'"default": "neural-composer"'* ]] ||
    wrong "expected our kernel as the default one, found another"
  [[ $(ask "$port" "api/contents/notebooks?$token") == 200*01-course-workflow.ipynb* ]] ||
    wrong "expected the notebooks, found none"
  "$engine" exec "$container" ./lab --execute notebooks/02-explore-songs.ipynb ||
    wrong "a notebook did not run in the container"
  echo "The image builds, its lab answers, a notebook runs in it."
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  set -uo pipefail
  cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
  if ! engine=$(container_engine); then
    echo "No container engine answers (docker, podman): the Dockerfile was not built."
    exit 77
  fi
  echo "Building with $engine"
  check_image "${engine%% *}"
fi
