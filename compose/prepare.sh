#!/bin/bash
# Generates a password for each login once, and makes the stream's folder for checkpoints.
#
#   prepare.sh LOGINS STATE    CHECKPOINT_OWNER=UID:GID
#
# Each login has a separate folder in LOGINS, with the files `username` and `password`. Services run as
# different users, so every user may read the files of a mounted login.
set -euo pipefail
logins=$1
state=$2

login() { # NAME USERNAME
  local folder="$logins/$1"
  printf %s "$2" >"$folder/username"
  if [ ! -s "$folder/password" ]; then
    head -c 24 /dev/urandom | base64 | tr -d '\n' | tr '+/' '-_' >"$folder/password.draft"
    mv "$folder/password.draft" "$folder/password"
  fi
  chmod 0444 "$folder/username" "$folder/password"
}

login owner clickstream
login writer clickstream_stream
login reader clickstream_read
login verifier clickstream_verify
login student clickstream_study
login grafana admin

mkdir -p "$state/checkpoints"
chown "$CHECKPOINT_OWNER" "$state/checkpoints"
chmod 0700 "$state/checkpoints"
