#!/usr/bin/env bash
# Prints the changelog's section of one version; fails where there is none, so that nothing is released without notes.
#
#   infra/release-notes.sh 1.2.0
set -euo pipefail
version=${1:?a version, such as 1.2.0}
changelog=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)/CHANGELOG.md
notes=$(awk -v version="$version" '
    /^## / { inside = index($0, "## [" version "]") == 1; next }
    inside { print }' "${CHANGELOG:-$changelog}")
[ -n "${notes//[[:space:]]/}" ] || { echo "CHANGELOG.md says nothing about $version" >&2; exit 1; }
printf '%s\n' "$notes"
