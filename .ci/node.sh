#!/bin/sh
# Installs Node and npm if there are none, from Debian's packages. The tests of
# sdk/typescript need Node 20.11 or newer, which has a WebSocket of its own.
set -u
usable() {
  command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 11) ? 0 : 1)' 2>/dev/null
}
usable && exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
  echo "installing Node"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nodejs npm >/dev/null
fi
usable && exit 0
echo "Node 20.11 or newer is needed, with npm: https://nodejs.org" >&2
exit 1
