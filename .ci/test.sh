#!/bin/sh
# Tests every package with the race detector and prints what each took. The
# tests of PostgreSQL need its programs, those of sdk/typescript need Node, and those of
# the game in the browser need one: they are installed if they are missing and this may
# install something, and nothing is skipped. HOLDFAST_PICTURES names a folder that keeps
# the pictures of the game.
set -u
sh "$(dirname "$0")/postgres.sh" || exit 1
sh "$(dirname "$0")/node.sh" || exit 1
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

# Most of the time of these is simulated, and none of them minds a busy machine: they
# are tested two at a time, those that take longest first. All others have real
# processes, leases and databases, or measure: one after another.
together="profile session internal/sim receipt feed store mailbox inventory rollback archive audit bus
document driver examples/fromroblox holdfasttest internal/calls internal/console internal/faulty
internal/guarantees internal/importtest internal/lineage mem receipt/appstore receipt/webhook roblox"
together=$(for dir in $together; do echo "./$dir"; done)
# shellcheck disable=SC2086 # a list
go test -race -count 1 -timeout 20m -p 2 $together 2>&1 || failed=1

# shellcheck disable=SC2086
for pkg in $(go list ./... | grep -vxF "$(go list $together)"); do
  test_one go test -race -count 1 -timeout 20m "$pkg"
done
# A module of its own, so that what it needs burdens nobody else.
test_one go -C postgres/cockroach test -count 1 ./...
test_one sh "$(dirname "$0")/typescript.sh"
printf '%4ds  in all\n' "$(($(date +%s) - started))"
exit "$failed"
