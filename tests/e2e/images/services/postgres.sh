#!/bin/bash
# One server, with the database and its owner: a role that may make roles and is no superuser.
# User and password from /etc/postgres-owner.
set -euo pipefail
data=/var/lib/postgres/data
if [ ! -f $data/PG_VERSION ]; then
  head -c 32 /dev/urandom | base64 >/tmp/superuser
  initdb -D $data.new -U postgres --encoding=UTF8 --locale=C.UTF-8 \
    --locale-provider=builtin --builtin-locale=C.UTF-8 --auth-local=trust \
    --auth-host=scram-sha-256 --pwfile=/tmp/superuser --data-checksums >/dev/null
  pg_ctl -D $data.new -w -o "-k /tmp -c listen_addresses=''" start >/dev/null
  owner=$(cat /etc/postgres-owner/username)
  psql -h /tmp -U postgres -q -v ON_ERROR_STOP=1 -v owner="$owner" \
    -v password="$(cat /etc/postgres-owner/password)" <<'END'
CREATE ROLE :"owner" LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE clickstream OWNER :"owner";
END
  pg_ctl -D $data.new -w stop >/dev/null
  echo "host all all all scram-sha-256" >>$data.new/pg_hba.conf
  mv $data.new $data
fi
exec postgres -D $data -k /tmp -c listen_addresses='*' -c max_connections=50 -c shared_buffers=256MB \
  -c work_mem=32MB -c max_wal_size=4GB -c jit=off -c timezone=UTC
