#!/bin/sh
# Installs PostgreSQL's programs if there are none, from Debian's package. The
# tests start servers of their own, so no cluster is made of the package's.
set -u
if [ -n "${HOLDFAST_POSTGRES_BIN:-}" ] || command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then
  exit 0
fi
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "PostgreSQL 15 or newer is needed: install it (Debian: apt-get install postgresql), or say where its programs are with HOLDFAST_POSTGRES_BIN" >&2
  exit 1
fi
echo "installing PostgreSQL"
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null
