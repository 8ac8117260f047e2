# shellcheck shell=bash
# The processes of one instance: Postgres, Azurite, the Service Bus double, the sandbox acquirer, the app. The caller sets $data and $logs and the
# ports postgres_port, blob_port, queue_port, table_port, bus_port, acquirer_port, app_port, and may set $transport.

app_bin=functions/bin/$configuration/net10.0
acquirer_bin=local/acquirer/bin/$configuration/net10.0
migrate_bin=domain.migrate/bin/$configuration/net10.0
bus_bin=local/servicebus/bin/$configuration/net10.0

# What carries messages: Storage queues (Azurite), or Service Bus (the double). One setting of the environment, or --transport.
transport=${Messaging__Transport:-storage}
# The app reads it from its settings file, which says the same as all the rest of it.
unset Messaging__Transport
require_transport() {
    case $transport in
        storage | servicebus) ;;
        *) die "the transport is 'storage' or 'servicebus', not '$transport'." ;;
    esac
}

# Keys and passwords of this instance, made once, readable by its owner only, never committed.
load_secrets() {
    local file=$data/secrets.env
    if [ ! -e "$file" ]; then
        mkdir -p "$data"
        (umask 077 && node -e '
            const { randomBytes, createHash } = require("node:crypto");
            const hex = () => randomBytes(24).toString("hex");
            const platform = "pk_" + hex();
            console.log(`platform_key=${platform}
platform_key_hash=${createHash("sha256").update(platform).digest("hex")}
acquirer_key=ak_${hex()}
webhook_secret=whsec_${randomBytes(32).toString("base64")}
encryption_key=${randomBytes(32).toString("base64")}
postgres_password=${hex()}
owner_password=${hex()}
login_password=${hex()}`);' >"$file.tmp")
        mv "$file.tmp" "$file"
    fi
    # shellcheck disable=SC1090
    . "$file"
}

start_azurite() {
    local kept=(--location "$data/azurite") name=${azurite_name:-azurite}
    [ "${1:-}" != --memory ] || kept=(--inMemoryPersistence)
    mkdir -p "$data/azurite"
    start "$name" "$data/azurite" node "$root/local/node_modules/azurite/dist/src/azurite.js" --silent --skipApiVersionCheck --disableTelemetry \
        "${kept[@]}" --blobHost 127.0.0.1 --blobPort "$blob_port" \
        --queueHost 127.0.0.1 --queuePort "$queue_port" --tableHost 127.0.0.1 --tablePort "$table_port"
    await "$name" 60 azurite_ready
    storage="DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=$storage_key;BlobEndpoint=http://127.0.0.1:$blob_port/devstoreaccount1;QueueEndpoint=http://127.0.0.1:$queue_port/devstoreaccount1;TableEndpoint=http://127.0.0.1:$table_port/devstoreaccount1;"
}

azurite_ready() { port_answers "$blob_port" && port_answers "$queue_port"; }

# The double of Service Bus, with the queues of local/servicebus/queues.json. ./run keeps what is in them, tests do not.
start_bus() {
    local kept=(--data "$data/servicebus.log")
    [ "${1:-}" != --memory ] || kept=()
    start servicebus "$root/$bus_bin" dotnet Payments.ServiceBusDouble.dll --port "$bus_port" --queues "$root/local/servicebus/queues.json" ${kept[@]+"${kept[@]}"}
    await servicebus 60 port_answers "$bus_port"
    bus="Endpoint=sb://localhost:$bus_port;SharedAccessKeyName=local;SharedAccessKey=local;UseDevelopmentEmulator=true;"
}

# The embedded server, unless $1 (a connection string given from outside) names another. Sets postgres_admin.
start_postgres() {
    postgres_admin=$1
    if [ -z "$postgres_admin" ]; then
        shift
        postgres_start "$postgres_port" "$postgres_password" "$@"
        postgres_admin="Host=127.0.0.1;Port=$postgres_port;Database=postgres;Username=postgres;Password=$postgres_password"
    fi
}

# Logins on the server of postgres_admin: the app's, without rights to change the schema, and the migrator's.
logins_from_admin() {
    local server="$postgres_admin;Database=$1"
    postgres_app="$server;Username=payments_app_$2;Password=$login_password"
    postgres_owner="$server;Username=payments_owner_$2;Password=$owner_password"
}

migrate() {
    ConnectionStrings__Postgres=$postgres_app ConnectionStrings__PostgresOwner=$postgres_owner ConnectionStrings__PostgresAdmin=$postgres_admin \
        step migrate dotnet "$root/$migrate_bin/Payments.Migrate.dll" apply "$@" || die "the database could not be migrated: $(last_words migrate)"
}

start_acquirer() {
    mkdir -p "$data/acquirer"
    Acquirer__Port=$acquirer_port Acquirer__ApiKey=$acquirer_key Acquirer__DataDirectory=$data/acquirer \
        Acquirer__WebhookUrl=http://127.0.0.1:$app_port/webhooks/sandbox Acquirer__WebhookSecret=$webhook_secret \
        start acquirer "$root/$acquirer_bin" dotnet Payments.Acquirer.dll
    await acquirer 60 answers "$acquirer_port" /health
}

answers() { [ "$(http_status "$1" "$2")" = 200 ]; }

# What the sample of local.settings.json leaves open, filled in for this instance. Variables of the environment go before all of it.
write_settings() {
    local file=$1
    shift
    (umask 077 && node -e '
        const { readFileSync } = require("node:fs");
        const settings = JSON.parse(readFileSync(process.argv[1], "utf8"));
        // The sample disables the functions of Service Bus. On that transport they run, and their like for Storage queues do not.
        if (process.argv[2] === "servicebus") {
            for (const name of Object.keys(settings.Values).filter((name) => /^AzureWebJobs\..*FromServiceBus\.Disabled$/.test(name))) {
                delete settings.Values[name];
                const storage = name.replace("FromServiceBus", "FromStorage");
                settings.Values[storage.replace("DeadFromStorage", "PoisonFromStorage")] = "true";
            }
        }
        for (const pair of process.argv.slice(3)) {
            const [name, ...value] = pair.split("=");
            settings.Values[name] = value.join("=");
        }
        console.log(JSON.stringify(settings, null, 2));' "$root/local.settings.sample.json" "$transport" \
        "AzureWebJobsStorage=$storage" \
        "Messaging__Transport=$transport" \
        "ServiceBus=${bus:-}" \
        "ConnectionStrings__Postgres=$postgres_app" \
        "Platform__ApiKeyHashes=${platform_key_name:-local}:$platform_key_hash" \
        "Providers__Sandbox__BaseAddress=http://127.0.0.1:$acquirer_port" \
        "Providers__Sandbox__ApiKey=$acquirer_key" \
        "Webhooks__Inbound__sandbox__Secret=$webhook_secret" \
        "Secrets__Keys__local=$encryption_key" \
        "Logging__Console__Enabled=true" \
        "$@" >"$file") || die "the app's settings could not be written to $file."
}

# start_app [NAME=VALUE]...: the app runs from a copy, so that a build does not pull its files away.
start_app() {
    rm -rf "$data/app"
    cp -R "$root/$app_bin" "$data/app"
    cp "$root/host.json" "$data/app/"
    write_settings "$data/app/local.settings.json" "$@"
    start app "$data/app" dotnet Payments.Functions.dll --port "$app_port"
    await app 90 answers "$app_port" /health/ready
}

# The official build on Core Tools, from the same settings.
start_app_on_core_tools() {
    local output=$data/app
    require_core_tools
    say "Building for Core Tools"
    rm -rf "$output"
    WorkerPackages=official step build-official dotnet publish "$root/functions/Payments.Functions.csproj" -c "$configuration" -v quiet --nologo -o "$output" ||
        die "the official build failed (it needs a package feed that has the Azure Functions worker): $(last_words build-official)"
    write_settings "$output/local.settings.json" "$@"
    start app "$output" func start --no-build --port "$app_port"
    await app 120 answers "$app_port" /health/ready
}

require_core_tools() {
    command -v func >/dev/null || die "--func needs Azure Functions Core Tools 4 (the command func): npm install --global azure-functions-core-tools@4"
}
