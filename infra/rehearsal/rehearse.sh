#!/usr/bin/env bash
# Rehearses a deployment, without an AWS account: checks template.yaml with the tools of SAM and
# CloudFormation, builds it with `sam build`, deploys it with `sam deploy` to an AWS that runs on this
# machine, and sends signed webhooks through it. Then the stack is updated, fails to be updated, becomes
# a canary form, is deleted, and is restored from its table and key; tenants' webhooks are handled all the time. Needs
# cargo, and python3 with venv. Leaves nothing running.
#
# What it cannot show, an AWS account can: permissions, throttles, alarms, the custom domain, X-Ray. And
# of the canary form only versions and aliases, because the emulator has no CodeDeploy: no shift of
# traffic, and no rollback by alarms.
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

say "Installing the SAM CLI, cargo-lambda, cfn-lint, checkov and ministack"
venv tools requirements.txt
venv cloud requirements-cloud.txt
venv scanner requirements-scanner.txt
tools=$rehearsal/tools/bin

say "Validating, expanding and linting the template"
"$tools/sam" validate --template template.yaml
# cfn-lint does not know that a parameter which the translator writes out is used: W2001.
# Writes the template with lines added to the configuration.
form() {
    { cat infra/atlassian-hooks.yaml && echo "$1"; } >"$rehearsal/configuration.yaml"
    cargo hooks template --print --configuration "$rehearsal/configuration.yaml"
}
number=0
mkdir -p "$rehearsal/forms"
for form in "" "template: { bodies: true }" "template: { canary: true }" \
    "existingServer: https://origin.example.com"; do
    template=$rehearsal/forms/$((number += 1)).yaml
    form "$form" >"$template"
    "$tools/python" infra/rehearsal/expand.py "$template" "$rehearsal/expanded.json"
    "$tools/cfn-lint" ${form:+--ignore-checks W2001} --template "$rehearsal/expanded.json"
done

say "Linting the roles of a new app, and those and the template of a new Forge app"
rm -rf "$rehearsal/app" "$rehearsal/forge-app"
cargo hooks new "$rehearsal/app" --key com.example.rehearsed --framework .
cargo hooks new "$rehearsal/forge-app" --sender forge --framework .
template=$rehearsal/forms/forge.yaml
cp "$rehearsal/forge-app/template.yaml" "$template"
"$tools/python" infra/rehearsal/expand.py "$template" "$rehearsal/expanded.json"
"$tools/cfn-lint" --template "$rehearsal/expanded.json" "$rehearsal"/{app,forge-app}/infra/{deployer,operator}.yaml
# Without its log: it would like to read the texts of its rules from its vendor.
"$rehearsal/scanner/bin/checkov" --config-file "$rehearsal/app/.checkov.yaml" \
    --file "$rehearsal"/forms/*.yaml "$rehearsal"/{app,forge-app}/infra/{deployer,operator}.yaml \
    2>"$rehearsal/scanner.log" || { tail -n 5 "$rehearsal/scanner.log"; exit 1; }

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

# Makes a template that the emulator can deploy. Its programs are packaged already.
for_emulator() { "$tools/python" infra/rehearsal/for_emulator.py "$1" "$rehearsal/packaged.yaml" "$2"; }

stack() { "$tools/python" infra/rehearsal/stack.py "$@"; }

# Deploys a template as a stack, with further values of parameters. The tag becomes the id of the API, so
# that its URL is known before: the requests that the emulator hands to functions have no port. It knows
# ids of eight hexadecimal digits.
try_deploy() {
    local template=$1 name=$2 api
    api=$(printf %s "$name" | md5sum | head -c 8)
    shift 2
    "$tools/sam" deploy --template "$template" --stack-name "$name" --resolve-s3 \
        --capabilities CAPABILITY_IAM --no-confirm-changeset --no-progressbar \
        --tags "ms-custom-id=$api" \
        --parameter-overrides "Architecture=$architecture" "InstallKeysUrl=http://$atlassian" \
        "AtlassianUrl=http://$atlassian" "BaseUrl=http://$api.execute-api.localhost:$port" "$@" \
        >"$rehearsal/deploy.log" 2>&1
}

deploy() {
    try_deploy "$@" || { tail -n 60 "$rehearsal/deploy.log"; exit 1; }
    base_url=$(stack routes "$2")
}

delete() {
    "$tools/sam" delete --stack-name "$1" --no-prompts >"$rehearsal/delete.log" 2>&1 ||
        { tail -n 40 "$rehearsal/delete.log"; exit 1; }
}

# Runs a test of tests/deployed.rs against the stack.
test_deployed() {
    HOOKS_DEPLOYED=$base_url HOOKS_STACK=$stack HOOKS_ATLASSIAN=$atlassian HOOKS_TENANTS=$rehearsal/tenants.jsonl \
        cargo test --quiet --workspace --test end_to_end -- --ignored "deployed::$1" >"$rehearsal/test.log" 2>&1 ||
        { tail -n 40 "$rehearsal/test.log" "$rehearsal/cloud.log"; exit 1; }
    grep -q '1 passed' "$rehearsal/test.log" || { echo "no test is called $1" >&2; exit 1; }
}

# How many deliveries were handled so far, by the lines of the handlers.
handled() { grep -ac '"message":"delivery handled"' "$rehearsal/cloud.log" || true; }

# Sends a signed webhook of each kind for tenants that have the app, and fails unless all are handled.
# Handlers say so unless their log level is above INFO.
goes_on_handling() {
    local before after
    before=$(handled)
    test_deployed a_deployed_stack_knows_its_tenants
    after=$(handled)
    case $1 in
    logged) [ "$after" -gt "$before" ] || { echo "no handler says that it handled a delivery" >&2; exit 1; } ;;
    silent) [ "$after" -eq "$before" ] || { echo "handlers log more than their level lets them" >&2; exit 1; } ;;
    esac
}

package() {
    "$tools/sam" package --template-file "$build/template.yaml" --resolve-s3 \
        --output-template-file "$rehearsal/packaged.yaml" >"$rehearsal/package.log" 2>&1 ||
        { tail -n 60 "$rehearsal/package.log"; exit 1; }
}

say "Deploying with sam deploy"
package
plain=$rehearsal/plain.yaml
for_emulator template.yaml "$plain"
deploy "$plain" "$stack"
echo "deployed to $base_url"

say "Sending signed and forged webhooks through it"
test_deployed a_deployed_stack_handles_only_signed_events
[ "$(handled)" -gt 0 ] || { echo "no handler says that it handled a delivery" >&2; exit 1; }

say "Listing its dead letters, found by the stack's outputs"
cargo hooks dead --stack "$stack"

say "Updating a parameter"
(umask 077 && cargo hooks tenants export --stack "$stack" --with-secrets >"$rehearsal/tenants.jsonl")
goes_on_handling logged
deploy "$plain" "$stack" LogLevel=WARN
stack variable "$stack" LOG_LEVEL WARN
goes_on_handling silent

say "Failing to update: the functions get another log level, then a queue is refused, and all is rolled back"
refused=$rehearsal/refused.yaml
"$tools/python" infra/rehearsal/refused.py "$plain" "$refused"
if try_deploy "$refused" "$stack" LogLevel=INFO; then
    echo "the emulator accepts $refused" >&2
    exit 1
fi
[ "$(stack status "$stack")" = UPDATE_ROLLBACK_COMPLETE ] || { tail -n 60 "$rehearsal/deploy.log"; exit 1; }
stack variable "$stack" LOG_LEVEL WARN
goes_on_handling silent

say "Updating to the canary form: the API and the queues call aliases"
form "template: { canary: true }" >"$rehearsal/template.yaml"
canary=$rehearsal/canary.yaml
for_emulator "$rehearsal/template.yaml" "$canary"
deploy "$canary" "$stack" LogLevel=INFO
goes_on_handling logged

say "Deleting the stack, and restoring it under its name: it adopts the table and the key, and tenants go on"
state=$(stack state "$stack")
stack kept "$stack" >"$rehearsal/kept"
delete "$stack"
stack there <"$rehearsal/kept"
# `sam delete` has deleted the packages as well.
package
# As infra/OPERATIONS.md says: the dead-letter queues are kept under their names.
# shellcheck disable=SC2086 # two parameters
deploy "$plain" "$stack" $state DeadLetterQueueSuffix=-2
[ "$(stack state "$stack")" = "$state" ] || { echo "the restored stack has other state than $state" >&2; exit 1; }
goes_on_handling logged
test_deployed a_deployed_stack_handles_only_signed_events
delete "$stack"
stack there <"$rehearsal/kept"
say "$(handled) deliveries were handled on the deployed stack, the forged ones refused"
