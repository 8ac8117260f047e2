#!/usr/bin/env bash
# Whether an environment serves: its dependencies are up, it knows who may not come in, and it stays so while instances are replaced.
#
#   infra/smoke.sh https://HOST
set -euo pipefail
address=${1:?the address of the app, such as https://func-payments-dev.azurewebsites.net}
wanted=${SMOKE_SUCCESSES:-12}
pause=${SMOKE_PAUSE:-5}
patience=${SMOKE_PATIENCE:-600}

status() { curl --silent --show-error --max-time 20 --output /dev/null --write-out '%{http_code}' "$@" || true; }

successes=0
while [ "$successes" -lt "$wanted" ]; do
    [ "$SECONDS" -lt "$patience" ] || { echo "not ready within $patience s" >&2; exit 1; }
    ready=$(status "$address/health/ready")
    stranger=$(status "$address/v1/charges")
    if [ "$ready" = 200 ] && [ "$stranger" = 401 ]; then
        successes=$((successes + 1))
    else
        echo "ready: $ready, a stranger: $stranger" >&2
        successes=0
    fi
    sleep "$pause"
done
echo "ready, $successes times in a row"
