#!/usr/bin/env bash
# Refuses a package that must not be deployed: one with the local stand-in of the Service Bus extension. Azure's host would deliver no messages to it.
#
#   infra/check-package.sh app.zip out ...        zip files or folders
set -euo pipefail
mark=LOCAL-ONLY-servicebus-stand-in.txt
extension=Microsoft.Azure.Functions.Worker.Extensions.ServiceBus.dll
[ $# -gt 0 ] || { echo "name a zip file or a folder" >&2; exit 1; }

# names PACKAGE: the files in it, one on a line.
names() {
    if [ -d "$1" ]; then (cd "$1" && find . -type f | sed 's|^\./||'); else unzip -Z1 "$1" 2>/dev/null; fi
}

for package in "$@"; do
    files=$(names "$package") || { echo "$package: not a folder or a zip file that can be read" >&2; exit 1; }
    if grep -qxF "$mark" <<<"$files"; then
        echo "$package holds the local stand-in of the Service Bus extension ($mark). Publish with -p:ServiceBusExtension=package." >&2
        exit 1
    fi
    grep -qxF "$extension" <<<"$files" || { echo "$package: $extension is missing, so this is no publish of the app" >&2; exit 1; }
done
