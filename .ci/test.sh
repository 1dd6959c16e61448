#!/bin/sh
# Tests every package with the race detector and prints what each took.
set -u
failed=0
started=$(date +%s)
for pkg in $(go list ./...); do
  t=$(date +%s)
  out=$(go test -race -count 1 -timeout 20m "$pkg" 2>&1)
  status=$?
  printf '%4ds  %s\n' "$(($(date +%s) - t))" "$(printf '%s\n' "$out" | tail -n 1)"
  if [ "$status" -ne 0 ]; then
    printf '%s\n' "$out"
    failed=1
  fi
done
printf '%4ds  in all\n' "$(($(date +%s) - started))"
exit "$failed"
