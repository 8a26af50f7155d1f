# What the scripts of this folder share; sourced, with the workspace's root as the working directory.

set -euo pipefail
suites="${CARGO_TARGET_DIR:-target}/suites"
mkdir -p "$suites"

# serve FLAGS...: starts `milena broker` on ports of the system's choice, and sets bootstrap; it ends with the script.
serve() {
  cargo build --quiet --locked -p milena-cli
  local output="$suites/broker.out"
  : >"$output"
  "${CARGO_TARGET_DIR:-target}/debug/milena" broker --port 0 "$@" >"$output" 2>"$suites/broker.log" &
  broker=$!
  trap 'kill "$broker" 2>/dev/null || true' EXIT
  for _ in $(seq 100); do
    bootstrap=$(head -n 1 "$output")
    [ -n "$bootstrap" ] && return
    sleep 0.1
  done
  echo "the broker did not start: $suites/broker.log" >&2
  return 1
}
