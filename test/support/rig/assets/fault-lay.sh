# Covers a tool and adds a rule, or takes a rule off. Read by `sh -s` in the machine, with these arguments:
#   lay ID TOOL MODE EXIT-CODE STDERR NTH TIMES [PATTERN…]
#   remove ID        remove-all        release ID        hits ID (prints a number)
#   held ID (prints yes or no)
set -eu
base=/run/rig-fault
box=/usr/local/bin/busybox

# The file that the kernel runs in the end. Xen's tools in /usr/sbin are one script that looks at its own name:
# the program itself is meant.
real_path() {
  path=$(command -v "$1") || { echo "rig-fault: no tool $1" >&2; return 1; }
  path=$("$box" readlink -f "$path")
  case "$path" in
    */xen-utils-wrapper) path=$(echo /usr/lib/xen-[0-9]*/bin/"${1##*/}") ;;
  esac
  [ -f "$path" ] || { echo "rig-fault: $path is not a file" >&2; return 1; }
  printf '%s\n' "$path"
}

key_of() { printf '%s' "$1" | "$box" tr / _; }

# A file is covered once, however many rules there are for its names.
cover() {
  key=$(key_of "$1")
  [ ! -e "$base/covered/$key" ] || return 0
  "$box" mkdir -p "$base/covered" "$base/real"
  "$box" cp -p "$1" "$base/real/$key"
  { printf '#!/bin/bash\nfile=%s\n' "$base/real/$key"; "$box" cat "$base/fault.sh"; } > "$base/covered/$key"
  "$box" chmod 755 "$base/covered/$key"
  "$box" mount -o bind "$base/covered/$key" "$1"
}

uncover() {
  # Lazily: a call may be running in it.
  "$box" umount -l "$1"
  "$box" rm -f "$base/covered/$(key_of "$1")"
}

lay() {
  rule=$base/rules/$1 tool=$2
  target=$(real_path "$tool")
  "$box" mkdir -p "$rule/hits"
  printf '%s\n' "$target" > "$rule/target"
  printf '%s\n' "${tool##*/}" > "$rule/tool"
  printf '%s\n' "$3" > "$rule/mode"
  printf '%s\n' "$4" > "$rule/exit-code"
  printf '%s\n' "$5" > "$rule/stderr"
  printf '%s\n' "$6" > "$rule/nth"
  printf '%s\n' "$7" > "$rule/times"
  shift 7
  : > "$rule/words"
  for word in "$@"; do printf '%s\n' "$word" >> "$rule/words"; done
  cover "$target"
  : > "$rule/ready"
}

# The last rule for a file takes the cover with it.
remove() {
  rule=$base/rules/$1
  [ -d "$rule" ] || return 0
  IFS= read -r target < "$rule/target"
  "$box" rm -rf "$rule"
  for other in "$base"/rules/*/target; do
    [ -e "$other" ] || continue
    IFS= read -r covered < "$other"
    [ "$covered" != "$target" ] || return 0
  done
  uncover "$target"
}

action=$1
shift
"$box" mkdir -p "$base/rules"
exec 9> "$base/lock"
flock 9
case "$action" in
  lay) lay "$@" ;;
  remove) remove "$@" ;;
  remove-all)
    for rule in "$base"/rules/*/; do
      if [ -d "$rule" ]; then remove "$("$box" basename "$rule")"; fi
    done
    ;;
  release) : > "$base/rules/$1/release" ;;
  hits) "$box" ls "$base/rules/$1/hits" | "$box" wc -l ;;
  held) if [ -e "$base/rules/$1/held" ]; then echo yes; else echo no; fi ;;
  *) echo "rig-fault: unknown action $action" >&2; exit 2 ;;
esac
