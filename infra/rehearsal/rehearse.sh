#!/usr/bin/env bash
# Rehearses a deployment, without an AWS account: checks template.yaml with the tools of SAM and
# CloudFormation, builds it with `sam build`, deploys it with `sam deploy` to an AWS that runs on this
# machine, and sends signed webhooks through it. Needs cargo, and python3 with venv. Leaves nothing
# running.
#
# What it cannot show, an AWS account can: permissions, throttles, alarms, the custom domain, X-Ray.
set -euo pipefail
cd "$(dirname "$0")/../.."

rehearsal=${CARGO_TARGET_DIR:-target}/rehearsal
mkdir -p "$rehearsal"
rehearsal=$(cd "$rehearsal" && pwd)
build=$rehearsal/build
stack=hooks
# Neither a configuration nor credentials of whoever runs this have a part in it.
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export SAM_CLI_TELEMETRY=0
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL

cloud=
stop() {
    if [ -n "$cloud" ]; then
        kill "$cloud" 2>/dev/null || true
        wait "$cloud" 2>/dev/null || true
        cloud=
    fi
}
trap stop EXIT
trap 'exit 130' INT TERM

say() { printf -- '--- %4d s  %s\n' "$SECONDS" "$*"; }

# Makes a virtual environment of what a file lists, unless it is there.
venv() {
    local venv=$rehearsal/$1 requirements=infra/rehearsal/$2
    if ! cmp -s "$requirements" "$venv/requirements.txt"; then
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
        cp "$requirements" "$venv/requirements.txt"
    fi
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Waits half a minute at most until something listens, unless the server has ended by then.
answers() {
    local _
    for _ in $(seq 150); do
        kill -0 "$cloud" 2>/dev/null || return 1
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
        sleep 0.2
    done
    return 1
}

say "Installing the SAM CLI, cargo-lambda, cfn-lint and ministack"
venv tools requirements.txt
venv cloud requirements-cloud.txt
tools=$rehearsal/tools/bin

say "Validating, expanding and linting the template"
"$tools/sam" validate --template template.yaml
# cfn-lint does not know that a parameter which the translator writes out is used: W2001.
for form in "" "template: { bodies: true }" "template: { canary: true }" \
    "existingServer: https://origin.example.com"; do
    {
        cat infra/atlassian-hooks.yaml
        if [ -n "$form" ]; then echo "$form"; fi
    } >"$rehearsal/configuration.yaml"
    cargo hooks template --print --configuration "$rehearsal/configuration.yaml" >"$rehearsal/template.yaml"
    "$tools/python" infra/rehearsal/expand.py "$rehearsal/template.yaml" "$rehearsal/expanded.json"
    "$tools/cfn-lint" ${form:+--ignore-checks W2001} --template "$rehearsal/expanded.json"
done

say "Building with sam build"
case $(uname -m) in
x86_64) architecture=x86_64 ;;
aarch64 | arm64) architecture=arm64 ;;
*) echo "no Lambda function runs on $(uname -m)" >&2; exit 1 ;;
esac
# What is shown is that it builds and runs, not how fast it is: hardly optimised and without LTO, it
# takes a fraction of the time.
sam_build() {
    PATH="$tools:$PATH" RUSTFLAGS="" CARGO_TERM_COLOR=never \
        CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        "$tools/sam" build --build-dir "$build" --cache-dir "$rehearsal/cache" \
        --parameter-overrides "Architecture=$architecture"
}
sam_build
du --bytes "$build"/*/bootstrap
for rebuild in $(seq "${REHEARSAL_REBUILDS:-1}"); do
    touch functions/handlers/src/bin/*.rs functions/receiver/src/*.rs
    sam_build >"$rehearsal/rebuild.log" 2>&1 || { tail -n 40 "$rehearsal/rebuild.log"; exit 1; }
    say "Built again with touched sources, $rebuild of ${REHEARSAL_REBUILDS:-1}"
done

say "Starting an AWS on this machine"
port=$(free_port)
atlassian=127.0.0.1:$(free_port)
BIND_HOST=127.0.0.1 GATEWAY_PORT=$port IOT_MTLS_ENABLED=0 \
    PATH="$rehearsal/cloud/bin:$PATH" "$rehearsal/cloud/bin/ministack" >"$rehearsal/cloud.log" 2>&1 &
cloud=$!
answers "$port" || { echo "ministack does not answer:"; tail -n 20 "$rehearsal/cloud.log"; exit 1; }
export AWS_ENDPOINT_URL=http://127.0.0.1:$port

# Deploys a stack of this name, with further values of parameters.
deploy() {
    local name=$1
    shift
    "$tools/sam" deploy --template "$build/template.yaml" --stack-name "$name" --resolve-s3 \
        --capabilities CAPABILITY_IAM --no-confirm-changeset --no-progressbar \
        --parameter-overrides "Architecture=$architecture" "InstallKeysUrl=http://$atlassian" "AtlassianUrl=http://$atlassian" "$@" \
        >"$rehearsal/deploy.log" 2>&1 || { tail -n 60 "$rehearsal/deploy.log"; exit 1; }
}

delete() {
    "$tools/sam" delete --stack-name "$1" --no-prompts >"$rehearsal/delete.log" 2>&1 ||
        { tail -n 40 "$rehearsal/delete.log"; exit 1; }
}

say "Deploying with sam deploy"
"$tools/python" infra/rehearsal/strip_unsupported.py "$build/template.yaml"
deploy "$stack"
base_url=$("$tools/python" infra/rehearsal/patch_emulator.py "$stack" "$build/template.yaml")
echo "deployed to $base_url"

say "Sending signed and forged webhooks through it"
HOOKS_DEPLOYED=$base_url HOOKS_STACK=$stack HOOKS_ATLASSIAN=$atlassian \
    cargo test --workspace --test end_to_end -- --ignored deployed:: || { tail -n 40 "$rehearsal/cloud.log"; exit 1; }
handled=$(grep -ac '"message":"delivery handled"' "$rehearsal/cloud.log" || true)
[ "$handled" -gt 0 ] || { echo "no handler says that it handled a delivery" >&2; exit 1; }

say "Listing its dead letters, found by the stack's outputs"
cargo hooks dead --stack "$stack"

say "Restoring: another stack takes over the table and the key, and a tenant goes on without an install"
state=$("$tools/python" infra/rehearsal/state.py "$stack")
# shellcheck disable=SC2086 # two parameters
deploy "$stack-restored" $state
restored_url=$("$tools/python" infra/rehearsal/patch_emulator.py "$stack-restored" "$build/template.yaml")
[ "$("$tools/python" infra/rehearsal/state.py "$stack-restored")" = "$state" ] ||
    { echo "the restored stack has other state than $state" >&2; exit 1; }
tenant=$(cargo hooks tenants export --stack "$stack-restored" --with-secrets | grep -m 1 '"productType":"jira"')
field() { "$tools/python" -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$tenant" "$1"; }
HOOKS_SHARED_SECRET=$(field sharedSecret) cargo hooks send jira:issue_created \
    --url "$restored_url" --tenant "$(field clientKey)"
for _ in $(seq 300); do
    now=$(grep -ac '"message":"delivery handled"' "$rehearsal/cloud.log" || true)
    [ "$now" -gt "$handled" ] && break
    sleep 0.2
done
[ "$now" -gt "$handled" ] || { echo "the restored stack has not handled the delivery" >&2; exit 1; }

say "Updating a parameter, and deleting both stacks, of which the state stays"
deploy "$stack-restored" $state RetryDelay=77
"$tools/python" infra/rehearsal/state.py "$stack-restored" RETRY_DELAY=77
delete "$stack-restored"
cargo hooks tenants list --stack "$stack" >"$rehearsal/tenants.log"
grep -q "$(field clientKey)" "$rehearsal/tenants.log" || { echo "the tenants are gone" >&2; exit 1; }
delete "$stack"
# shellcheck disable=SC2086
"$tools/python" infra/rehearsal/state.py --kept $state
say "$handled deliveries were handled on the deployed stack, the forged ones refused"
