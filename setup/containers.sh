#!/usr/bin/env bash
# Builds the Dockerfile and opens its lab, where a container engine answers. Run by ./test, and
# sourced for its functions. The exit status is 0 when all is well, 1 when not, 77 when no engine
# answers, which is said.
set -uo pipefail

# The engine's name and version; docker's program alone does nothing without its service.
container_engine() {
  local engine version
  for engine in docker podman; do
    command -v "$engine" >/dev/null || continue
    if version=$("$engine" version --format '{{.Server.Version}}' 2>/dev/null) && [[ -n $version ]]; then
      echo "$engine $version"
      return
    fi
  done
  return 1
}
