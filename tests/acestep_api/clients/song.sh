#!/usr/bin/env bash
# A client of the ACE-Step API as a shell script: curl, and jq or Python for the answers.
# usage: song.sh song|random|chat FOLDER [NAME=VALUE ...]       (BASE_URL, API_KEY in the environment)
set -euo pipefail

pick() { # pick PATH: a value of the JSON on standard input, "" when there is none
  if [ -z "${NO_JQ:-}" ] && command -v jq >/dev/null; then
    jq -r "($1) // empty"
  else
    "${PYTHON:-python3}" -c '
import json, re, sys
value = json.load(sys.stdin)
for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", sys.argv[1]):
    try:
        value = value[name] if name else value[int(index)]
    except (KeyError, IndexError, TypeError):
        value = None
print("" if value is None else value if isinstance(value, str) else json.dumps(value))' "$1"
  fi
}

call() { # call METHOD PATH [BODY]
  local body=()
  [ $# -lt 3 ] || body=(-H 'Content-Type: application/json' -d "$3")
  curl -sS -X "$1" -H "Authorization: Bearer ${API_KEY:-}" "${body[@]}" "$BASE_URL$2"
}

fail() { echo "error: $1" >&2; exit 1; }

body() { # every field that this client always sends, then what the caller set
  local fields='"lyrics":"","sample_query":"","thinking":true,"use_format":false,"use_cot_caption":true'
  fields+=',"use_cot_language":true,"vocal_language":"unknown","audio_format":"mp3","use_random_seed":true'
  for pair in "$@"; do
    fields+=",\"${pair%%=*}\":${pair#*=}"
  done
  echo "{$fields}"
}

follow() { # follow TASK FOLDER: poll until the task is final, then fetch its songs
  local answer status result file number=0
  while :; do
    answer=$(call POST /query_result "{\"task_id_list\":[\"$1\"]}")
    status=$(pick '.data[0].status' <<<"$answer")
    [ "$status" = 0 ] || break
    sleep 0.1
  done
  result=$(pick '.data[0].result' <<<"$answer")
  [ "$status" = 1 ] || fail "$(pick '.[0].error' <<<"$result")"
  while file=$(pick ".[$number].file" <<<"$result") && [ -n "$file" ]; do
    call GET "$file" >"$2/song-$number.mp3"
    number=$((number + 1))
  done
  echo "bpm $(pick '.[0].metas.bpm' <<<"$result") key $(pick '.[0].metas.keyscale' <<<"$result")" \
    "duration $(pick '.[0].metas.duration' <<<"$result")"
}

mode=$1 folder=$2
shift 2
[ "$(call GET /health | pick '.data.status')" = ok ] || fail "the server is not well"
case "$mode" in
song | random)
  if [ "$mode" = random ]; then answer=$(call POST /release_task '{"sample_mode":true,"thinking":true}'); else
    answer=$(call POST /release_task "$(body "$@")"); fi
  task=$(pick '.data.task_id' <<<"$answer")
  [ -n "$task" ] || task=$(pick '.task_id' <<<"$answer")
  [ -n "$task" ] || fail "$(pick '.detail' <<<"$answer")"
  follow "$task" "$folder"
  ;;
chat)
  model=$(call GET /v1/models | pick '.data[0].id')
  answer=$(call POST /v1/chat/completions "{\"model\":\"$model\",\"audio_config\":{\"duration\":2},\"messages\":[{\"role\":\"user\",\"content\":\"$1\"}]}")
  url=$(pick '.choices[0].message.audio[0].audio_url.url' <<<"$answer")
  [ -n "$url" ] || fail "$(pick '.detail' <<<"$answer")"
  echo "${url#*base64,}" | base64 -d >"$folder/song-0.mp3"
  echo "$model"
  ;;
esac
