# What the benchmarks share; to be sourced, from the root of the project.
dir=$(mktemp -d)
pids=()
trap '[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true; rm -rf "$dir"' EXIT
for name in $(compgen -e ANTEROOM_); do unset "$name"; done
target=${CARGO_TARGET_DIR:-target}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# URL: until somebody answers there.
await() {
  local _
  for _ in $(seq 100); do
    curl -s -o /dev/null "$1" && return 0
    sleep 0.1
  done
  echo "nobody answers at $1" >&2
  return 1
}

field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# BASE SECRET_FILE: a token of the demo client's.
demo_token() {
  curl -sSf -K <(printf 'user = "demo:%s"' "$(cat "$2")") -d grant_type=client_credentials "$1/oauth/token" | field access_token
}
