# manual_bash.awk: bash's completion, from the lines of docs/manual.sh. After a command its options, else files; behind --layout,
# --backend and the like the words that the option's text lists.

# words(TEXT): those of a list like "auto (default), onednn, openblas or native" or "x: dfdc, ffpp"; "" where there is none.
function words(text,    parts, n, i, found) {
    sub(/;.*$/, "", text)
    sub(/^.*: /, "", text)
    gsub(/ *\([^)]*\)/, "", text)
    gsub(/ or /, ", ", text)
    n = split(text, parts, /, */)
    if (n < 2)
        return ""
    for (i = 1; i <= n; i++) {
        if (parts[i] !~ /^[a-z0-9_]+$/)
            return ""
        found = found (i > 1 ? " " : "") parts[i]
    }
    return found
}

$1 == "command" {
    name = $2
    if (name ~ / /) {
        sub(/^.* /, "", $2)
        subcommands = subcommands " " $2
    } else {
        commands = commands " " $2
    }
}

$1 == "option" {
    options[name] = options[name] " --" $2 ($5 == "required" ? "=" : "") ($3 == "-" ? "" : " -" $3)
    found = $4 == "-" ? "" : words($6)
    if (found != "" && !(name SUBSEP $2 in seen))
        choices = choices "    '" name " --" $2 "') words='" found "' ;;\n"
    seen[name, $2]
}

$1 == "usage" { order[++n_order] = name }

END {
    print "# bash completion for " version "; made by docs/manual.sh from the program's own options."
    print "_fakesift() {"
    print "    local cur prev command words='' IFS=$' \\t\\n'"
    print "    cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}"
    print "    # bash takes --layout=dfdc apart at the sign."
    print "    if [ \"$cur\" = = ]; then"
    print "        cur=''"
    print "    elif [ \"$prev\" = = ]; then"
    print "        prev=${COMP_WORDS[COMP_CWORD - 2]}"
    print "    fi"
    print "    COMPREPLY=()"
    print "    if [ \"$COMP_CWORD\" = 1 ]; then"
    print "        mapfile -t COMPREPLY < <(compgen -W '" substr(commands, 2) " --help --version' -- \"$cur\")"
    print "        return"
    print "    fi"
    print "    if [ \"$command\" = models ]; then"
    print "        if [ \"$COMP_CWORD\" = 2 ]; then"
    print "            mapfile -t COMPREPLY < <(compgen -W '" substr(subcommands, 2) " --help' -- \"$cur\")"
    print "            return"
    print "        fi"
    print "        command=\"models ${COMP_WORDS[2]}\""
    print "    fi"
    print "    case \"$command $prev\" in"
    printf "%s", choices
    print "    esac"
    print "    if [ -n \"$words\" ]; then"
    print "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")"
    print "        return"
    print "    fi"
    print "    if [[ $cur == -* ]]; then"
    print "        case $command in"
    for (i = 1; i <= n_order; i++)
        print "        '" order[i] "') words='" substr(options[order[i]], 2) (options[order[i]] == "" ? "" : " ") "--help' ;;"
    print "        esac"
    print "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")"
    print "        [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace"
    print "        return"
    print "    fi"
    print "    mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")"
    print "    compopt -o filenames 2>/dev/null"
    print "}"
    print "complete -F _fakesift fakesift"
}
