#!/usr/bin/env bash
# An app of one's own, from its first command to a handled webhook: outside this repository, on this
# checkout of the framework. Builds into the checkout's build folder, so that most of it is there.
# Then a Forge app, one of signed webhooks, and another that takes the framework from a git repository: all its dependencies are found.
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

# A Forge app, with crates that are there.
cd "$folder"
"$hooks" hooks new forge-app --sender forge --product jira --framework "$framework"
cd forge-app
"$hooks" hooks check
cargo fmt --all --check
cargo test --package handlers --offline
"$hooks" hooks local --once --port 0

# The same of signed webhooks.
cd "$folder"
"$hooks" hooks new signed-app --sender signed --framework "$framework"
cd signed-app
"$hooks" hooks check
cargo fmt --all --check
"$hooks" hooks local --once --port 0

# The committed files of this checkout. Always in the same place, so that cargo keeps one clone of it.
repository=$target/scaffold/framework.git
rm -rf "$repository"
git clone --quiet --bare "$framework" "$repository"
branch=scaffold
git -C "$repository" branch --force "$branch" HEAD
cd "$folder"
"$hooks" hooks new git-app --framework "file://$repository#$branch"
cd git-app
cp "$framework/Cargo.lock" .
# Not offline: cargo has to fetch the repository. The versions of all else are the framework's.
cargo metadata --format-version 1 >metadata.json
grep --quiet "\"source\":\"git+file://$repository?branch=$branch#" metadata.json
cargo metadata --format-version 1 --offline --locked >/dev/null
"$hooks" hooks check
