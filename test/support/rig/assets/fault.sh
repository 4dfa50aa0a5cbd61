# The rest of the script that covers a tool; two lines come before it: `#!/bin/bash` and `file=`, the tool itself, copied aside.
# It decides, call by call, whether the tool does what it should. Only bash and busybox are used: no fault can hit the fault.
# /run/rig-fault/rules/<id>/ holds tool, mode, exit-code, stderr, words (a pattern a line), nth, times; hits/<n> counts the matches, held is there once
# a call hangs.
# $0 is the path that was called, so a file with many names (lvm, mke2fs) knows here which one was meant.

base=/run/rig-fault
name=${0##*/}
box=/usr/local/bin/busybox

act() { (exec -a "$0" "$file" "$@"); }

value() { IFS= read -r "$2" < "$1/$2"; }

# Every pattern of the rule must fit one of the arguments; one that begins with ! none of them.
matches() {
  local rule=$1 pattern argument found wanted
  shift
  while IFS= read -r pattern; do
    found=no
    wanted=yes
    if [[ $pattern == !* ]]; then wanted=no; fi
    for argument in "$@"; do
      # shellcheck disable=SC2053 # a pattern is wanted
      if [[ $argument == ${pattern#!} ]]; then found=yes; fi
    done
    [ "$found" = "$wanted" ] || return 1
  done < "$rule/words"
}

# mkdir either makes the folder or fails, so two calls at once never get the same number.
take_number() {
  number=1
  until "$box" mkdir "$1/hits/$number" 2>/dev/null; do
    [ -d "$1/hits" ] || return 1
    number=$((number + 1))
  done
}

fail() {
  printf '%s\n' "$(<"$1/stderr")" >&2
  exit "$(<"$1/exit-code")"
}

# Until it is released or the rule is gone; 120 s at most.
hang() {
  local tries=0
  : > "$1/held"
  until [ -e "$1/release" ] || [ ! -d "$1" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 1200 ]; then
      echo "rig-fault: $name was not released within 120 s" >&2
      exit 124
    fi
    "$box" usleep 100000
  done
}

apply() {
  local rule=$1 mode status
  shift
  value "$rule" mode
  case "$mode" in
    fail) fail "$rule" ;;
    pretend) exit 0 ;;
    killed) kill -KILL $$ ;;
    kill-caller) kill -KILL "$PPID" ;;
    hang) hang "$rule" ;;
    act-then-*) act "$@" ;;
    *)
      echo "rig-fault: unknown mode $mode" >&2
      exit 125
      ;;
  esac
  status=$?
  case "$mode" in
    act-then-fail) fail "$rule" ;;
    act-then-killed) kill -KILL $$ ;;
    act-then-kill-caller) kill -KILL "$PPID" ;;
    act-then-hang) hang "$rule" ;;
    *) return ;;
  esac
  exit "$status"
}

# Every rule counts the calls that match it; the one that was laid first acts.
chosen=
for rule in "$base"/rules/*/; do
  rule=${rule%/}
  [ -e "$rule/ready" ] || continue
  value "$rule" tool
  # shellcheck disable=SC2154 # set by value
  [ "$tool" = "$name" ] && matches "$rule" "$@" && take_number "$rule" || continue
  value "$rule" nth
  value "$rule" times
  # shellcheck disable=SC2154
  if [ "$number" -ge "$nth" ] && [ "$number" -lt $((nth + times)) ]; then chosen=${chosen:-$rule}; fi
done
if [ -n "$chosen" ]; then apply "$chosen" "$@"; fi
exec -a "$0" "$file" "$@"
