#!/usr/bin/env bash
# Predict a folder of any size into one CSV, in parts. If interrupted, it continues where it was.
set -euo pipefail

: "${CHUNK:=1000}"
: "${IMAGE_EXTENSIONS:=avif bmp dib gif jfif jp2 jpe jpeg jpg pbm pgm png pnm ppm tga tif tiff webp}"

usage() {
  cat <<TEXT
Usage: predict_folder.sh FOLDER OUTPUT.csv [OPTION...]

Predict every image in FOLDER and its subfolders with \`cnnkit predict\`, and write one row per image
into OUTPUT.csv, sorted by path. OPTIONs are passed on to \`cnnkit predict\`, for instance --model:

  scripts/predict_folder.sh photos/ answers.csv --model runs/digits --topk 3

Parts of CHUNK images (environment variable, now $CHUNK) are written into OUTPUT.csv.parts/ and
joined into OUTPUT.csv at the end. After an interruption, the same command continues with the first
missing part. It refuses to continue if the images, the model or the options have changed.

An image that cannot be read gets a row with an error, and the exit code is 1 at the end.
Hidden files are ignored, and so are files whose extension is not in IMAGE_EXTENSIONS (environment
variable); OUTPUT.csv.left_aside lists them. IMAGE_EXTENSIONS is now:
  $IMAGE_EXTENSIONS
TEXT
}

say() {
  echo "predict_folder.sh: $*" >&2
}

die() {
  say "$*"
  exit 2
}

# Write the paths of all images into $1, sorted, each followed by NUL, and ignored files into $2.
list_files() {
  local is_image=(-false) extension hidden=('(' -name '.?*' -o -name __MACOSX ')')
  set -f
  for extension in $IMAGE_EXTENSIONS; do is_image+=(-o -iname "*.$extension"); done
  set +f
  find -L "$folder" -mindepth 1 "${hidden[@]}" -prune \
    -o ! -type d '(' "${is_image[@]}" ')' -print0 >"$1.unsorted" || return 1
  LC_ALL=C sort -z "$1.unsorted" >"$1"
  rm "$1.unsorted"
  find -L "$folder" -mindepth 1 '(' "${hidden[@]}" -prune \
    -o ! -type d ! '(' "${is_image[@]}" ')' ')' -print >"$2"
}

# Split the list $1 into files $2/00000001, ... of CHUNK paths each.
cut_list() {
  local path count=0 number=0 file
  while IFS= read -r -d '' path; do
    if [ $((count % CHUNK)) -eq 0 ]; then
      number=$((number + 1))
      printf -v file '%s/%08d' "$2" "$number"
      exec 3>"$file"
    fi
    printf '%s\0' "$path" >&3
    count=$((count + 1))
  done <"$1"
  exec 3>&-
}

# Print the value of the option $1 among the options for cnnkit predict, or nothing.
option_value() {
  local name=$1 value='' word next=''
  for word in ${options[@]+"${options[@]}"}; do
    if [ -n "$next" ]; then value=$word next=''; fi
    case $word in
      "$name") next=yes ;;
      "$name="*) value=${word#*=} ;;
    esac
  done
  printf '%s' "$value"
}

# Print a checksum over all files of the model; fail if there is no model.
model_checksum() {
  local model runs found
  model=$(option_value --model)
  runs=$(option_value --runs-folder)
  runs=${runs:-${CNNKIT_RUNS:-runs}}
  for found in "$model/model.tflite" "$model" "$runs/$model/model.tflite"; do
    if [ -f "$found" ]; then
      cksum <"$found"
      return
    elif [ -f "$found/saved_model.pb" ]; then
      (cd "$found" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 cksum) | cksum
      return
    fi
  done
  return 1
}

# Predict the paths in the list $1 into $2.csv, or into $2.errors.csv if some cannot be read.
predict_part() {
  local status=0
  rm -f "$2-unchecked"
  cnnkit predict - -0 --format csv --output "$2-unchecked" ${options[@]+"${options[@]}"} <"$1" ||
    status=$?
  if [ $status -eq 0 ]; then
    mv "$2-unchecked" "$2.csv"
  elif [ $status -eq 1 ] && [ -f "$2-unchecked" ]; then
    mv "$2-unchecked" "$2.errors.csv"
  else
    say "stopped (exit code $status). Run the same command to continue from here."
    exit "$status"
  fi
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
esac
[ $# -ge 2 ] || { usage >&2; exit 2; }
command -v cnnkit >/dev/null || die "cnnkit is not on the PATH. Activate its environment first."
folder=$1 output=$2
shift 2
options=("$@")
[ "$folder" = / ] || folder=${folder%/}
case $folder in
  -*) folder=./$folder ;;
esac
[ -d "$folder" ] || die "$folder is not a folder."
[ ! -e "$output" ] || die "$output exists. Remove it, or give another name."
case $CHUNK in
  '' | *[!0-9]* | 0*) die "CHUNK is \"$CHUNK\", not a whole number of at least 1." ;;
esac
parts=$output.parts

for word in "$@"; do
  case $word in
    -o* | --output* | --format* | --json | -0 | --stdin-image)
      die "$word cannot be used here: this script always writes CSV into $output." ;;
  esac
done
fresh=$(mktemp -d "$(dirname "$output")/.predict_folder.XXXXXX")
trap 'rm -rf "$fresh"' EXIT

# A call without images: wrong options fail here, and without --model cnnkit names the newest run.
rows=$(cnnkit predict - "$@" </dev/null 2>"$fresh/messages") || { cat "$fresh/messages" >&2; exit 2; }
[ -z "$rows" ] || die "after OUTPUT.csv, give only options of cnnkit predict and no images."
if [ -z "$(option_value --model)" ]; then
  options+=(--model "$(sed -n 's/^model: //p' "$fresh/messages")")
  say "model: ${options[${#options[@]} - 1]}"
fi
checksum=$(model_checksum) || die "there is no model $(option_value --model)."

list_files "$fresh/list" "$fresh/left_aside" ||
  die "$folder could not be listed completely, for the reasons above."
[ -s "$fresh/list" ] || die "$folder contains no image (IMAGE_EXTENSIONS: $IMAGE_EXTENSIONS)."
if [ -s "$fresh/left_aside" ]; then
  mv "$fresh/left_aside" "$output.left_aside"
  say "ignored files are listed in $output.left_aside (hidden, or not named like an image)"
fi
{
  echo "images in a part: $CHUNK"
  echo "checksum of the model: $checksum"
  printf 'option: %s\n' "${options[@]}"
} >"$fresh/request"

if [ -d "$parts" ]; then
  again="Remove $parts to start again."
  cmp -s "$fresh/list" "$parts/list" || die "the images in $folder have changed. $again"
  diff "$parts/request" "$fresh/request" >&2 || die "the model or the options have changed. $again"
  rm -rf "$fresh"
  say "continuing with $parts"
else
  mkdir "$fresh/lists"
  cut_list "$fresh/list" "$fresh/lists"
  chmod 755 "$fresh"
  mv "$fresh" "$parts"
fi

lists=("$parts/lists"/*)
for list in "${lists[@]}"; do
  part=$parts/${list##*/}
  if [ ! -f "$part.csv" ] && [ ! -f "$part.errors.csv" ]; then
    say "part $((10#${list##*/})) of ${#lists[@]}"
    predict_part "$list" "$part"
  fi
done

first=yes
for part in "$parts"/*.csv; do
  if [ "$first" = yes ]; then cat "$part"; else tail -n +2 "$part"; fi
  first=no
done >"$parts/joined"
failed=$(find "$parts" -name '*.errors.csv' | wc -l)
mv "$parts/joined" "$output"
rm -rf "$parts"
say "$output is complete"
if [ "$failed" -gt 0 ]; then
  say "some images could not be read: their rows have an error"
  exit 1
fi
