#!/usr/bin/env bash
# What the scripts promise when something is missing or dies. ./test runs this with everything set up; each function is one test.
# The last line is "PASSED FAILED".
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
work=$(mktemp -d "${TMPDIR:-/tmp}/payments-scripts.XXXXXX")
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT

fail() {
    printf '  %s\n' "$*"
    return 1
}

# refuses WORDS COMMAND...: it ends with status 1 and says so in one line with these words.
refuses() {
    local words=$1 output status=0
    shift
    output=$("$@" 2>&1 >/dev/null) || status=$?
    [ "$status" -eq 1 ] || { fail "status $status: $output"; return; }
    [ "$(printf '%s\n' "$output" | wc -l)" -eq 1 ] || { fail "more than one line: $output"; return; }
    case $output in *"$words"*) ;; *) fail "another line: $output" ;; esac
}

# A PATH with the tools the scripts use, but for the one named.
path_without() {
    local tool found
    rm -rf "$work/bin"
    mkdir "$work/bin"
    for tool in bash env sh cat sed grep mkdir dirname rm tail head tr find sort dotnet node npm; do
        if [ "$tool" != "$1" ] && found=$(command -v "$tool"); then ln -s "$found" "$work/bin/$tool"; fi
    done
    printf '%s' "$work/bin"
}

run() { env PAYMENTS_DATA="$work/data" "$@"; }

run_TakenPort_NamesThePortAndTheOption() {
    local holder port
    coproc LISTENER { exec node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => console.log(s.address().port))'; }
    # shellcheck disable=SC2153
    holder=$LISTENER_PID
    read -r port <&"${LISTENER[0]}"
    refuses "port $port, meant for the app, is taken" run "$root/run" --port "$port"
    local result=$?
    kill "$holder"
    wait "$holder" 2>/dev/null
    return "$result"
}

run_PortThatIsNone_IsRefused() { refuses "'70x1' is not a port" run "$root/run" --port 70x1; }

run_UnknownTransport_IsRefused() { refuses "the transport is 'storage' or 'servicebus', not 'rabbit'" run "$root/run" --transport rabbit; }

# The setting alone does what the option does.
run_UnknownTransportInTheSetting_IsRefused() { refuses "not 'rabbit'" run Messaging__Transport=rabbit "$root/run"; }

run_UnknownArgument_IsRefused() { refuses 'unknown argument --prot' run "$root/run" --prot 1; }

run_NoNode_SaysWhatToInstall() { refuses 'Node 20 or newer is missing' run PATH="$(path_without node)" "$root/run"; }

run_NoDotnet_SaysWhatToInstall() { refuses '.NET SDK 10 is missing' run PATH="$(path_without dotnet)" "$root/run"; }

run_FuncWithoutCoreTools_SaysWhatToInstall() { refuses 'azure-functions-core-tools@4' run PATH="$(path_without func)" "$root/run" --func; }

test_UnknownProject_NamesThoseThereAre() { refuses 'Postgres.Tests' "$root/test" Nonsense; }

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# await SECONDS COMMAND...: until the command succeeds.
await() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.2
    done
}

# The first of 18 ports that were free a moment ago.
free_base_port() {
    local base i
    while :; do
        base=$((12000 + RANDOM % 20000))
        for ((i = 0; i < 18; i++)); do
            ! port_answers $((base + i)) || continue 2
        done
        printf '%s' "$base"
        return
    done
}

# up BASE: starts ./run in the background and waits until it says that it is ready. Its process is in $script.
up() {
    env PAYMENTS_DATA="$work/data" "$root/run" --base-port "$1" >"$work/run.out" 2>&1 &
    script=$!
    await 400 grep -qE '^(Ready:|run:)' "$work/run.out"
    grep -q '^Ready:' "$work/run.out" && return
    kill -TERM "$script"
    wait "$script" 2>/dev/null
    fail "not ready: $(cat "$work/run.out")"
}

nothing_is_left() {
    local i
    for ((i = 0; i < 18; i++)); do ! port_answers $(($1 + i)) || return 1; done
    ! grep -lsF "$work/data" /proc/[0-9]*/cmdline >/dev/null
}

# The whole life of a run: ready, an acquirer that dies, a stop, a kill, and the next start, which finds its data.
run_StoppedOrKilled_LeavesNothingAndStartsAgain() {
    local base script merchant acquirer='' each status=0
    base=$(free_base_port)
    up "$base" || return
    for each in '/v1/charges' 'Authorization: Bearer ak_' 'psql postgresql://payments_owner_local:' "http://127.0.0.1:$((base + 16))/login?t="; do
        grep -qF -- "$each" "$work/run.out" || fail "'$each' is not printed" || return
    done
    refuses 'it is already running' run "$root/run" --base-port "$(free_base_port)" || return
    refuses 'it is running' run "$root/run" reset || return
    merchant=$(cat "$work/data/demo.json")

    # Where the environment of a process can be read.
    for each in /proc/[0-9]*; do
        if tr '\0' '\n' <"$each/environ" 2>/dev/null | grep -qx "Acquirer__Port=$((base + 10))"; then acquirer=${each#/proc/}; fi
    done
    if [ -n "$acquirer" ]; then
        kill -KILL "$acquirer"
        await 30 grep -q 'The sandbox acquirer ended' "$work/run.out" || fail "the acquirer's end is not reported" || return
        port_answers "$base" && port_answers $((base + 11)) && kill -0 "$script" || fail "something went with the acquirer" || return
    fi

    kill -TERM "$script"
    wait "$script" || status=$?
    [ "$status" -eq 143 ] || fail "status $status" || return
    await 20 nothing_is_left "$base" || fail "a process is left after a stop" || return

    up "$base" || return
    kill -KILL "$script"
    wait "$script" 2>/dev/null
    await 60 nothing_is_left "$base" || fail "a process is left after a kill" || return

    up "$base" || return
    [ "$merchant" = "$(cat "$work/data/demo.json")" ] || fail "the data was made anew" || return
    kill -TERM "$script"
    wait "$script" 2>/dev/null
    run "$root/run" reset >/dev/null 2>&1 && [ ! -e "$work/data" ] || fail "data is left after a reset"
}

# A run whose Postgres cannot start says so and ends.
run_UnknownServer_SaysWhatPostgresSaid() {
    local base output status=0
    base=$(free_base_port)
    output=$(run ConnectionStrings__Postgres='Host=127.0.0.1;Port=1;Username=a;Password=b' ConnectionStrings__PostgresOwner='Host=127.0.0.1;Port=1;Username=a;Password=b' \
        "$root/run" --base-port "$base" 2>&1 >/dev/null) || status=$?
    [ "$status" -eq 1 ] || fail "status $status" || return
    case $output in *'the database could not be migrated: '*refused*) ;; *) fail "$output" || return ;; esac
    await 20 nothing_is_left "$base" || fail "a process is left"
}

# Its first call builds what it runs.
run "$root/run" reset >/dev/null 2>&1

package_WithTheExtension_IsAccepted() {
    mkdir -p "$work/app"
    touch "$work/app/Microsoft.Azure.Functions.Worker.Extensions.ServiceBus.dll"
    "$root/infra/check-package.sh" "$work/app" || fail "refused"
}

package_WithTheStandIn_IsRefused() {
    mkdir -p "$work/marked"
    touch "$work/marked/Microsoft.Azure.Functions.Worker.Extensions.ServiceBus.dll"
    cp "$root"/local/servicebus-extension/LOCAL-ONLY-* "$work/marked"
    refuses 'Publish with -p:ServiceBusExtension=package' "$root/infra/check-package.sh" "$work/marked" || return
    # The second of two counts as well.
    mkdir -p "$work/app"
    touch "$work/app/Microsoft.Azure.Functions.Worker.Extensions.ServiceBus.dll"
    refuses "$work/marked holds the local stand-in" "$root/infra/check-package.sh" "$work/app" "$work/marked"
}

package_AsAZipFile_IsReadToo() {
    command -v zip >/dev/null && command -v unzip >/dev/null || return 0
    mkdir -p "$work/zipped"
    cp "$root"/local/servicebus-extension/LOCAL-ONLY-* "$work/zipped"
    touch "$work/zipped/Microsoft.Azure.Functions.Worker.Extensions.ServiceBus.dll"
    (cd "$work/zipped" && zip -qr "$work/marked.zip" . && rm LOCAL-ONLY-* && zip -qr "$work/clean.zip" .)
    "$root/infra/check-package.sh" "$work/clean.zip" || { fail "refused a clean one"; return; }
    refuses 'holds the local stand-in' "$root/infra/check-package.sh" "$work/marked.zip"
}

package_ThatIsNone_IsRefused() {
    mkdir -p "$work/empty"
    refuses 'is missing, so this is no publish of the app' "$root/infra/check-package.sh" "$work/empty" || return
    refuses 'not a folder or a zip file' "$root/infra/check-package.sh" "$work/nowhere.zip"
}

# Every place that deploys refuses a marked package before it does so.
package_WhereverItIsDeployed_IsChecked() {
    local each
    for each in .github/workflows/deploy.yml .github/workflows/deploy-release.yml docs/deploy.md; do
        awk '
            /infra\/check-package\.sh/ { checked = 1 }
            /source config-zip|gh release create/ { if (!checked) bad = 1; sent = 1 }
            END { exit bad || !sent }' "$root/$each" || { fail "$each"; return; }
        ! grep -F 'dotnet publish' "$root/$each" | grep -E '/?functions"? ' | grep -vqF -e '-p:ServiceBusExtension=package' || { fail "$each publishes the stand-in"; return; }
    done
    # azd: the hook's own lines, run as azd runs them.
    awk '/^            / { print }' "$root/azure.yaml" >"$work/hook.sh"
    (export ServiceBusExtension=package && sh "$work/hook.sh") || { fail "azd: refuses the package"; return; }
    (unset ServiceBusExtension && ! sh "$work/hook.sh" 2>/dev/null) || { fail "azd: takes the stand-in"; return; }
    (export ServiceBusExtension=stand-in && ! sh "$work/hook.sh" 2>/dev/null) || fail "azd: takes the stand-in"
}

passed=0 failed=0
for name in $(compgen -A function | grep -E '^(run|test|start|stop|postgres|package)_[A-Z]'); do
    if "$name"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s [FAIL]\n' "$name"
    fi
done
printf '%s %s\n' "$passed" "$failed"
