/**
 * The completion of each shell. All of them ask `bofh completion words`, which prints a candidate and
 * its description on each line, or `:files`.
 */
export const scripts: ReadonlyMap<string, string> = new Map([
  [
    'bash',
    `# bofh completion bash > /etc/bash_completion.d/bofh
_bofh() {
  local found line
  COMPREPLY=()
  mapfile -t found < <(bofh completion words "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ \${found[0]-} == :files ]]; then
    compopt -o default
    return
  fi
  for line in "\${found[@]}"; do COMPREPLY+=("\${line%%$'\\t'*}"); done
}
complete -F _bofh bofh
`,
  ],
  [
    'zsh',
    `#compdef bofh
# bofh completion zsh > /usr/local/share/zsh/site-functions/_bofh
_bofh() {
  local -a found described
  local line
  found=("\${(@f)$(bofh completion words "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $found[1] == :files ]]; then
    _files
    return
  fi
  for line in $found; do described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}"); done
  (( $#described )) && _describe bofh described
}
if [[ $funcstack[1] == _bofh ]]; then _bofh "$@"; else compdef _bofh bofh; fi
`,
  ],
  [
    'fish',
    `# bofh completion fish > /etc/fish/completions/bofh.fish
function __bofh_complete
    set -l typed (commandline -opc)
    set -l found (bofh completion words $typed[2..-1] (commandline -ct) 2>/dev/null)
    if test "$found[1]" = :files
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $found
    end
end
complete -c bofh -f -a '(__bofh_complete)'
`,
  ],
]);
