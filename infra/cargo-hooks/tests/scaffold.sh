#!/usr/bin/env bash
# An app of one's own, from its first command to a handled webhook: outside this repository, on this
# checkout of the framework. Builds into the checkout's build folder, so that most of it is there.
set -euo pipefail
cd "$(dirname "$0")/../../.."
framework=$PWD

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
cargo build --quiet --package cargo-hooks
unset CARGO_TARGET_DIR
export CARGO_BUILD_BUILD_DIR=$target
hooks=$target/debug/cargo-hooks

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cd "$folder"
"$hooks" hooks new my-app --key com.example.my-app --framework "$framework"
cd my-app
"$hooks" hooks add jira:issue_updated page_updated --handler updates
"$hooks" hooks add comment_created jira:issue_deleted
(cd functions/handlers && "$hooks" hooks check)
cargo fmt --all --check
# The versions are the framework's, and on this machine already.
cargo test --workspace --offline
"$hooks" hooks local --once --port 0
