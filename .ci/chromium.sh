#!/bin/sh
# Installs the browser in which the game of holdfast demo --web is tested, if there is
# none, from Debian's package.
set -u
if [ -n "${HOLDFAST_CHROMIUM:-}" ] || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then
  exit 0
fi
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "Chromium is needed: install it (Debian: apt-get install chromium), or say where it is with HOLDFAST_CHROMIUM" >&2
  exit 1
fi
echo "installing Chromium"
apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
