#!/usr/bin/env bash
# What the scripts promise when something is missing or dies. ./test runs this with everything set up; each function is one test.
# The last line is "PASSED FAILED".
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
work=$(mktemp -d "${TMPDIR:-/tmp}/payments-scripts.XXXXXX")
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
. "$root/local/common.sh"

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
    for tool in bash env sh cat sed grep mkdir dirname rm mv cp mktemp tail head tr cut chmod id uname find cmp dotnet node npm setpriv true; do
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

start_ProcessThatEnds_IsReportedWithItsLastWords() {
    local output
    output=$(
        logs=$work
        start short "$work" bash -c 'echo the disk is full; exit 3'
        await short 10 false 2>&1
    )
    case $output in *'short ended while it started: the disk is full'*) ;; *) fail "$output" ;; esac
}

# A script that is stopped takes its processes along, also those that do not listen.
stop_StubbornProcess_LeavesNothing() {
    cat >"$work/stubborn" <<END
set -euo pipefail
. "$root/local/common.sh"
logs=$work
on_exit true
start listener "$work" sleep 1000
printf '%s\n' "\$(pid_of listener)" >"$work/pid"
while :; do sleep 0.1; done
END
    rm -f "$work/pid"
    bash "$work/stubborn" &
    local script=$! child status=0
    until [ -s "$work/pid" ]; do sleep 0.05; done
    child=$(cat "$work/pid")
    kill -TERM "$script"
    wait "$script" || status=$?
    [ "$status" -eq 143 ] || fail "status $status" || return
    ! alive "$child" || fail "process $child is left"
}

# Postgres is killed with everything in flight, and its data is started again.
postgres_Killed_StartsAgainWithItsData() {
    local output
    output=$(
        set -euo pipefail
        . "$root/local/postgres.sh"
        data=$work/postgres-data logs=$work
        mkdir -p "$data"
        on_exit postgres_remove
        port=$(free_ports 1)
        postgres_start "$port" secret 2>&1
        before=$(cksum "$postgres_data/cluster/PG_VERSION")
        kill -KILL "$(pid_of postgres)"
        wait "$(pid_of postgres)" 2>/dev/null || true
        [ -e "$postgres_data/cluster/postmaster.pid" ] || die "no trace of the killed server"
        postgres_start "$port" secret 2>&1
        [ "$before" = "$(cksum "$postgres_data/cluster/PG_VERSION")" ] || die "the data was made anew"
        echo started-again
    ) 2>&1
    case $output in *started-again*) ;; *) fail "$output" ;; esac
}

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
