#!/bin/sh
# Ask a server of `cnnkit serve` about image files, one request for all of them.
#
#   sh classify.sh photo.jpg another.jpg
#   SERVER=http://192.168.1.5:8000 CNNKIT_API_KEY=... sh classify.sh photo.jpg
set -eu
for image in "$@"; do
  shift
  set -- "$@" --form "image=@\"$image\""
done
exec curl --silent --show-error --fail-with-body --retry 5 \
  ${CNNKIT_API_KEY:+--header "Authorization: Bearer $CNNKIT_API_KEY"} \
  "$@" "${SERVER:-http://127.0.0.1:8000}/predict?topk=3"
