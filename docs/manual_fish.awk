# manual_fish.awk: fish's completion, from the lines of docs/manual.sh.

function quoted(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/'/, "\\'", text)
    return "'" text "'"
}

BEGIN {
    print "# fish completion for " version "; made by docs/manual.sh from the program's own options."
}

$1 == "command" {
    name = $2
    if (name ~ / /) {
        sub(/^.* /, "", $2)
        print "complete -c fakesift -n '__fish_seen_subcommand_from models' -a " $2 " -d " quoted($3)
        condition = "'__fish_seen_subcommand_from models; and __fish_seen_subcommand_from " $2 "'"
    } else {
        print "complete -c fakesift -n __fish_use_subcommand -a " $2 " -d " quoted($3)
        condition = name == "run" ? "'__fish_seen_subcommand_from run; and not __fish_seen_subcommand_from models'" \
                                  : "'__fish_seen_subcommand_from " name "'"
    }
}

$1 == "option" {
    printf "complete -c fakesift -n %s -l %s%s%s -d %s\n", condition, $2, $3 == "-" ? "" : " -s " $3,
        $5 == "required" ? " -r" : "", quoted($6)
}
