# shellcheck shell=bash
# What ./run, ./test and ./bench share: talking, ports, and processes that never outlive the script that started them.
# A script sources this after it has set `root` to the clone. Nothing here needs more than bash 3.2, Node and coreutils.

say() { printf '%s\n' "$*" >&2; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Restricted or public feed, self-host or Core Tools: the scripts always mean the build that serves itself, unless told otherwise.
export WorkerPackages="${WorkerPackages:-selfhost}"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
# Build servers would stay behind after the script.
export MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false

export configuration=Release
storage_key='Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

# --- ports -------------------------------------------------------------------------------------------------------------

# As many ports as asked for, each free a moment ago and all different.
free_ports() {
    node -e '
        const net = require("node:net");
        const servers = Array.from({ length: Number(process.argv[1]) }, () => net.createServer());
        Promise.all(servers.map((s) => new Promise((done) => s.listen(0, "127.0.0.1", () => done(s.address().port)))))
            .then((ports) => { console.log(ports.join(" ")); servers.forEach((s) => s.close()); });' "$1"
}

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# require_port PORT WHAT HOW: one line that says who wants the port and how to choose another.
require_port() {
    case $1 in
        '' | *[!0-9]*) die "'$1' is not a port ($3 sets the port of $2)." ;;
    esac
    ! port_answers "$1" || die "port $1, meant for $2, is taken: stop what listens there, or choose another port with $3."
}

# The status of GET http://127.0.0.1:PORT/PATH, or nothing.
http_status() {
    (
        exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 0
        printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$2" >&3
        read -r -t 10 _ status _ <&3 || exit 0
        printf '%s' "$status"
    ) 2>/dev/null || true
}

# --- processes ---------------------------------------------------------------------------------------------------------
# Each runs in a process group of its own, so that Ctrl-C reaches this script alone, which then stops them in reverse order.

started_names=()
started_pids=()
started_signals=()
step_pid=

# Where the system can, a child also learns of the death of this script, even by SIGKILL.
if setpriv --pdeathsig TERM true 2>/dev/null; then
    tied() { exec setpriv --pdeathsig "$stop_signal" "$@"; }
else
    tied() { exec "$@"; }
fi

# start NAME DIRECTORY COMMAND...: its output goes to $logs/NAME.log; `stop_signal` asks it to end (TERM unless set).
start() {
    local name=$1 directory=$2
    shift 2
    local stop_signal=${stop_signal:-TERM}
    set -m
    (
        trap - EXIT INT TERM HUP
        cd "$directory"
        tied "$@"
    ) >"$logs/$name.log" 2>&1 </dev/null &
    set +m
    started_names+=("$name")
    started_pids+=("$!")
    started_signals+=("$stop_signal")
}

pid_of() {
    local i
    for ((i = ${#started_names[@]} - 1; i >= 0; i--)); do
        [ "${started_names[i]}" != "$1" ] || {
            printf '%s' "${started_pids[i]}"
            return
        }
    done
}

alive() { kill -0 "$1" 2>/dev/null; }

# The command line of a process: from /proc, as not every machine has ps.
command_of() {
    if [ -r "/proc/$1/cmdline" ]; then tr '\0' ' ' <"/proc/$1/cmdline"; else ps -o args= -p "$1" 2>/dev/null; fi
}

# await NAME SECONDS TEST...: until the test holds; dies with the end of the log when the process does, or when time is up.
await() {
    local name=$1 seconds=$2 pid deadline
    shift 2
    pid=$(pid_of "$name")
    deadline=$((SECONDS + seconds))
    until "$@"; do
        alive "$pid" || die "$name ended while it started: $(last_words "$name")"
        [ "$SECONDS" -lt "$deadline" ] || die "$name is not ready after $seconds s: $(last_words "$name")"
        sleep 0.1
    done
}

last_words() {
    local words
    words=$(grep -v '^[[:space:]]*at ' "$logs/$1.log" 2>/dev/null | grep -v '^[[:space:]]*$' | tail -n 2 | tr '\n' ' ' | cut -c 1-400)
    printf '%s(log: %s)' "$words" "$logs/$1.log"
}

# step NAME COMMAND...: runs a command to its end, quietly, yet in a way that Ctrl-C interrupts at once.
step() {
    local name=$1 status=0
    shift
    set -m
    (
        trap - EXIT INT TERM HUP
        exec "$@"
    ) >"$logs/$name.log" 2>&1 </dev/null &
    set +m
    step_pid=$!
    wait "$step_pid" || status=$?
    step_pid=
    return "$status"
}

# foreground COMMAND...: the command that the script is for, with this script's own output; its status is the result.
foreground() {
    local status=0
    set -m
    (
        trap - EXIT INT TERM HUP
        exec "$@"
    ) </dev/null &
    set +m
    step_pid=$!
    wait "$step_pid" || status=$?
    step_pid=
    return "$status"
}

stop_one() {
    local pid=$1 signal=$2 deadline=$((SECONDS + 40))
    kill -s "$signal" "$pid" 2>/dev/null || true
    while alive "$pid" && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.05; done
    kill -s KILL -- "-$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

# stop_named NAME: stops what was started under that name, if it was.
stop_named() {
    local i
    for ((i = ${#started_pids[@]} - 1; i >= 0; i--)); do
        [ "${started_names[i]}" = "$1" ] || continue
        stop_one "${started_pids[i]}" "${started_signals[i]}"
        unset "started_names[i]" "started_pids[i]" "started_signals[i]"
    done
    # Without the holes.
    started_names=(${started_names[@]+"${started_names[@]}"})
    started_pids=(${started_pids[@]+"${started_pids[@]}"})
    started_signals=(${started_signals[@]+"${started_signals[@]}"})
}

stop_all() {
    local i
    trap '' INT TERM HUP
    [ -z "$step_pid" ] || stop_one "$step_pid" TERM
    for ((i = ${#started_pids[@]} - 1; i >= 0; i--)); do
        stop_one "${started_pids[i]}" "${started_signals[i]}"
    done
    started_names=() started_pids=() started_signals=()
}

# on_exit FUNCTION: called last, when everything has stopped, however the script ends.
on_exit() {
    exit_hook=$1
    trap 'exit_status=$?; stop_all; "$exit_hook"; exit $exit_status' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
}
