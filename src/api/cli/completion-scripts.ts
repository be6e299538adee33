// What a shell is told so that the Tab key works: it asks `tapmesh __complete` what fits. An answer
// has a line for each candidate: the word, a tab, and what it means.

const BASH = `# tapmesh completion for bash: source <(tapmesh completion bash)
_tapmesh() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _tapmesh tapmesh
`

const ZSH = `#compdef tapmesh
# tapmesh completion for zsh: source <(tapmesh completion zsh)
_tapmesh() {
  local line
  local -a found
  for line in \${(f)"$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"}; do
    found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( \${#found} )); then _describe tapmesh found; else _files; fi
}
if [[ "\${funcstack[1]}" == _tapmesh ]]; then _tapmesh "$@"; else compdef _tapmesh tapmesh; fi
`

const FISH = `# tapmesh completion for fish: tapmesh completion fish | source
function __tapmesh_complete
  set -l words (commandline -opc)
  set -l last (commandline -ct)
  set -l found ($words[1] __complete -- $words[2..-1] "$last" 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path "$last"
  end
end
complete -c tapmesh -f -a '(__tapmesh_complete)'
`

export const COMPLETION_SCRIPTS: Readonly<Record<string, string>>
  = { bash: BASH, zsh: ZSH, fish: FISH }
