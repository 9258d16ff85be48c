#!/usr/bin/env bash
# Fuzzes the parsers of untrusted input: tokens, signatures, query strings, descriptors, bodies, and
# Forge's tokens, bodies, key sets and manifests. Needs a C++ compiler, and no nightly toolchain: the flags
# are those of `cargo fuzz run --sanitizer none`, which also works in this folder.
#
# Usage: run.sh [SECONDS [TARGET …]]      default: 20 seconds for each target
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-20}
shift $(($# > 0 ? 1 : 0))
targets=("$@")
[ ${#targets[@]} -gt 0 ] ||
    targets=(token signed query descriptor delivery forge_token forge_body key_set manifest)

host=$(rustc --print host-tuple 2>/dev/null || rustc -vV | sed -n 's/^host: //p')
# With --target, build scripts and macros are spared the instrumentation.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/../../../../target}/fuzz
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build --release --locked --target "$host"

for target in "${targets[@]}"; do
    found=$CARGO_TARGET_DIR/$target
    mkdir -p "$found/corpus"
    printf -- '--- %s, for %s s\n' "$target" "$seconds"
    if ! "$CARGO_TARGET_DIR/$host/release/$target" "$found/corpus" "seeds/$target" \
        -max_total_time="$seconds" -max_len=4096 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="$found/" >"$found/log" 2>&1; then
        tail -n 40 "$found/log"
        echo "$target found an input that breaks it; it is in $found" >&2
        exit 1
    fi
    grep -E 'DONE|stat::(number|peak)' "$found/log"
done
