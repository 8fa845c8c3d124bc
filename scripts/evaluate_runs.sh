#!/usr/bin/env bash
# Score many runs on one data set into one CSV, one row per run. If interrupted, it can continue.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: evaluate_runs.sh DATA OUTPUT.csv RUN... [-- OPTION...]

Score every RUN on DATA, a folder or CSV with the same classes, with `cnnkit evaluate`, and write
one row per run into OUTPUT.csv. Options after -- are passed on to `cnnkit evaluate`:

  scripts/evaluate_runs.sh photos/ scores.csv runs/* -- --split test --skip-errors

A run that already has a row for this DATA is not scored again. So the same command continues after
an interruption, and you can add runs or data. If a run fails, it is named, the others are scored,
and the exit code is 1.
TEXT
}

die() {
  echo "evaluate_runs.sh: $1" >&2
  exit 2
}

# Succeed if OUTPUT.csv has a row for this run and this data.
has_row() {
  python3 - "$output" "$1" "$data" <<'PYTHON'
import csv, os, sys

path, run, data = sys.argv[1:]
if not os.path.exists(path):
    sys.exit(1)
with open(path, encoding="utf-8", newline="") as file:
    sys.exit(all((row["run"], row["data"]) != (run, data) for row in csv.DictReader(file)))
PYTHON
}

# Add the row of one run. The CSV is replaced as a whole, so that a kill never leaves half a row.
add_row() {
  python3 - "$output" "$1" "$data" "$2" <<'PYTHON'
import csv, json, os, sys

path, run, data, document = sys.argv[1:]
header = ["run", "data", "num_images", "accuracy", "top5_accuracy", "balanced_accuracy"]
header += ["macro_f1", "log_loss", "ece"]
with open(document, encoding="utf-8") as file:
    metrics = json.load(file)
rows = []
if os.path.exists(path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
rows.append({"run": run, "data": data} | {k: metrics[k] for k in header if k in metrics})
temporary = f"{path}.partial"
with open(temporary, "w", encoding="utf-8", newline="") as file:
    writer = csv.DictWriter(file, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
os.replace(temporary, path)
PYTHON
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
esac
[ $# -ge 3 ] || { usage >&2; exit 2; }
command -v cnnkit >/dev/null || die "cnnkit is not on the PATH. Activate its environment first."
data=$1 output=$2
shift 2
[ -e "$data" ] || die "there is no $data. Give a folder of class folders or a CSV."
if [ -e "$output" ] && [ "$(head -c 9 "$output")" != "run,data," ]; then
  die "$output exists, but this script has not written it. Give another name."
fi

runs=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  runs+=("$1")
  shift
done
[ $# -eq 0 ] || shift
[ ${#runs[@]} -gt 0 ] || die "name at least one run after OUTPUT.csv."

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
failed=()
for run in "${runs[@]}"; do
  run=${run%/}
  if has_row "$run"; then
    echo "$run: already has a row" >&2
    continue
  fi
  status=0
  cnnkit evaluate "$run" --data "$data" --json "$@" >"$answer" || status=$?
  case $status in
    0) add_row "$run" "$answer"; echo "$run: done" >&2 ;;
    130) exit 130 ;;
    *) echo "$run: FAILED (exit code $status)" >&2; failed+=("$run") ;;
  esac
done

if [ ${#failed[@]} -gt 0 ]; then
  echo "${#failed[@]} of ${#runs[@]} runs have no row in $output: ${failed[*]}" >&2
  exit 1
fi
