# manual_zsh.awk: zsh's completion, from the lines of docs/manual.sh.

# Inside of single quotes, in a specification of _arguments.
function spec(text) {
    gsub(/'/, "'\\''", text)
    gsub(/:/, "\\:", text)
    gsub(/\[/, "\\[", text)
    gsub(/\]/, "\\]", text)
    return text
}

$1 == "command" {
    name = $2
    if (name ~ / /) {
        sub(/^.* /, "", $2)
        subcommands = subcommands "        '" $2 ":" spec($3) "'\n"
    } else {
        commands = commands "        '" $2 ":" spec($3) "'\n"
    }
}

$1 == "usage" { order[++n_order] = name }

$1 == "option" {
    text = "[" spec($6) "]"
    argument = $4 == "-" ? "" : ($5 == "optional" ? "::" : ":") spec($4) ":_files"
    options[name] = options[name] " \\\n            '--" $2 ($4 == "-" ? "" : $5 == "optional" ? "=-" : "=") text argument "'"
    if ($3 != "-")
        options[name] = options[name] " \\\n            '-" $3 ($4 == "-" ? "" : "+") text argument "'"
}

END {
    print "#compdef fakesift"
    print "# zsh completion for " version "; made by docs/manual.sh from the program's own options."
    print "_fakesift() {"
    print "    local command=$words[2]"
    print "    local -a commands subcommands"
    print "    commands=("
    printf "%s    )\n    subcommands=(\n%s    )\n", commands, subcommands
    print "    if (( CURRENT == 2 )); then"
    print "        _describe command commands"
    print "        return"
    print "    fi"
    print "    if [[ $command == models ]]; then"
    print "        if (( CURRENT == 3 )); then"
    print "            _describe subcommand subcommands"
    print "            return"
    print "        fi"
    print "        command=\"models $words[3]\""
    print "        shift words"
    print "        (( CURRENT-- ))"
    print "    fi"
    print "    shift words"
    print "    (( CURRENT-- ))"
    print "    case $command in"
    for (i = 1; i <= n_order; i++)
        print "    '" order[i] "')\n        _arguments -s" options[order[i]] " \\\n            '*:file:_files'\n        ;;"
    print "    esac"
    print "}"
    print "_fakesift \"$@\""
}
