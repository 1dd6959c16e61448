#!/bin/sh
# Tests every package with the race detector and prints what each took. The
# tests of PostgreSQL need its programs, and those of the game in the browser need one:
# they are installed if they are missing and this may install something, and nothing is
# skipped. HOLDFAST_PICTURES names a folder that keeps the pictures of the game.
set -u
sh "$(dirname "$0")/postgres.sh" || exit 1
sh "$(dirname "$0")/chromium.sh" || exit 1
HOLDFAST_NEED_POSTGRES=1
HOLDFAST_NEED_CHROMIUM=1
CI=1 # the sizes that a promise names: 20,000 trades, and not 2,000
export HOLDFAST_NEED_POSTGRES HOLDFAST_NEED_CHROMIUM CI
# Published signatures and certificates are fetched where a registry of npm answers.
if timeout 30 npm view standardwebhooks version >/dev/null 2>&1; then
  HOLDFAST_NPM=1
  export HOLDFAST_NPM
fi
failed=0
started=$(date +%s)

# test_one COMMAND... runs a command that tests one package.
test_one() {
  t=$(date +%s)
  out=$("$@" 2>&1)
  status=$?
  printf '%4ds  %s\n' "$(($(date +%s) - t))" "$(printf '%s\n' "$out" | tail -n 1)"
  if [ "$status" -ne 0 ]; then
    printf '%s\n' "$out"
    failed=1
  fi
}

for pkg in $(go list ./...); do
  test_one go test -race -count 1 -timeout 20m "$pkg"
done
# A module of its own, so that what it needs burdens nobody else.
test_one go -C postgres/cockroach test -count 1 ./...
printf '%4ds  in all\n' "$(($(date +%s) - started))"
exit "$failed"
