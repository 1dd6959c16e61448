#!/bin/sh
# Compiles and tests the client in sdk/typescript: also against real game servers,
# which it starts with go run. Where no registry of npm answers, what needs the
# compiler or the public cases of RFC 6902 is left out.
set -eu
cd "$(dirname "$0")/../sdk/typescript"
if [ "${HOLDFAST_NPM:-}" = 1 ]; then
  npm ci --silent --ignore-scripts --no-audit --no-fund
  npm test --silent
  echo "ok  	sdk/typescript"
else
  npm run --silent test:dist
  echo "ok  	sdk/typescript, as it was compiled before: no registry of npm answers"
fi
