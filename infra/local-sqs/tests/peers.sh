#!/usr/bin/env bash
# Asks two other implementations of SQS, moto and ministack, what behaviour asks of this one.
# Needs python3 with venv. Leaves nothing running. Usage: infra/local-sqs/tests/peers.sh [moto|ministack]...
set -euo pipefail
cd "$(dirname "$0")/../../.."

mkdir -p "${CARGO_TARGET_DIR:-target}/peers"
peers=$(cd "${CARGO_TARGET_DIR:-target}/peers" && pwd)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        server=
    fi
}
trap stop EXIT
trap 'exit 130' INT TERM

# The name of the implementation, what pip installs, and the start command with @PORT@ in it.
peer() {
    local name=$1 package=$2
    shift 2
    local venv=$peers/$name log=$peers/$name.log
    if [ "$(cat "$venv/package" 2>/dev/null)" != "$package" ]; then
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check "$package"
        printf '%s\n' "$package" >"$venv/package"
    fi

    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    env PATH="$venv/bin:$PATH" "${@//@PORT@/$port}" >"$log" 2>&1 &
    server=$!
    answers "$port" || { echo "$name does not answer:"; tail -n 20 "$log"; return 1; }

    echo "== $package"
    SQS_ENDPOINT=http://127.0.0.1:$port SQS_IMPLEMENTATION=$name \
        cargo test --workspace --test behaviour
    stop
}

# Waits half a minute at most until something listens, unless the server has ended by then.
answers() {
    local _
    for _ in $(seq 150); do
        kill -0 "$server" 2>/dev/null || return 1
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
        sleep 0.2
    done
    return 1
}

# The suite is compiled before a server waits for it.
cargo test --workspace --test behaviour --no-run

[ $# -gt 0 ] || set -- moto ministack
for name; do
    case $name in
    moto) peer moto 'moto[server,sqs]==5.2.5' moto_server -H 127.0.0.1 -p @PORT@ ;;
    ministack)
        peer ministack ministack==1.5.33 env \
            BIND_HOST=127.0.0.1 GATEWAY_PORT=@PORT@ IOT_MTLS_ENABLED=0 ministack
        ;;
    *) echo "unknown implementation: $name" >&2; exit 2 ;;
    esac
done
