#!/usr/bin/env bash
# Fails when a generated file, go.mod or the formatting is stale: it makes them
# anew in a copy of the tree and compares, so the tree itself stays as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [ -e "$file" ] && printf '%s\0' "$file"
done | tar --null --files-from - -cf - | tar -C "$copy" -xf -
cp -R "$copy" "$copy.fresh"
trap 'rm -rf "$copy" "$copy.fresh"' EXIT

(
  cd "$copy.fresh"
  make --no-print-directory generate
  go mod tidy
  gofmt -l -w api cmd controllers echo hack
) >/dev/null

if ! diff -r -u "$copy" "$copy.fresh"; then
  echo "verify: the files above are stale; run 'make generate', 'go mod tidy' and 'gofmt -w', and commit the result" >&2
  exit 1
fi
echo "verify: generated files, go.mod and formatting are up to date"
