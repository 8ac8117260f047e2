# shellcheck shell=bash
# What ./run, ./test, ./bench and .ci/run share: saying what is wrong, and the two tools that a machine must have. A script sets `root` to the clone first.

say() { printf '%s\n' "$*" >&2; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Build servers would stay behind after the script. The compiler's halves the time of a build, so it runs, and is ended after each build.
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0
export MSBUILDDISABLENODEREUSE=1
configuration=Release

end_compiler() { dotnet build-server shutdown --vbcscompiler >/dev/null 2>&1 || true; }

require_tools() {
    command -v dotnet >/dev/null || die "the .NET SDK 10 is missing: install it from https://dotnet.microsoft.com/download/dotnet/10.0"
    (cd "$root" && dotnet --version >/dev/null 2>&1) || die "the .NET SDK 10 is missing: found only $(dotnet --list-sdks 2>/dev/null | tr '\n' ' ')"
    command -v node >/dev/null && command -v npm >/dev/null || die "Node 20 or newer is missing (node and npm): install it from https://nodejs.org"
    local major
    major=$(node -p 'process.versions.node.split(".")[0]')
    [ "$major" -ge 20 ] || die "Node 20 or newer is needed, this is Node $major."
}

require_core_tools() {
    command -v func >/dev/null || die "--func needs Azure Functions Core Tools 4 (the command func): npm install --global azure-functions-core-tools@4"
}

# build WHAT LOG [ARGUMENT]...: builds a project or solution; on failure prints the errors and ends the script.
build() {
    local what=$1 log=$2
    shift 2
    mkdir -p "${log%/*}"
    local status=0
    dotnet build "$root/$what" -c "$configuration" -v quiet --nologo -clp:NoSummary "$@" >"$log" 2>&1 || status=$?
    end_compiler
    [ "$status" -eq 0 ] || {
        grep -E 'error|warning' "$log" | sort -u | head -n 40 >&2
        die "the build failed (log: $log)"
    }
}
