#include "coordinator/main_manual.h"

#include <stdlib.h>
#include <string.h>

/* Children of children are not used here; a ring of them would be a bug. */
enum { MAX_DEPTH = 4 };

bool manual_asked(int argc, char **argv)
{
    return argc == 2 && strcmp(argv[1], "--manual") == 0;
}

static void print_field(FILE *out, const char *text, size_t length)
{
    putc('\t', out);
    if (length == 0)
        putc('-', out);
    for (size_t i = 0; i < length; i++)
        putc(text[i] == '\t' || text[i] == '\n' ? ' ' : text[i], out);
}

static void print_text(FILE *out, const char *text)
{
    print_field(out, text, text ? strlen(text) : 0);
}

void manual_print_command(FILE *out, const char *name, const char *purpose)
{
    fputs("command", out);
    print_text(out, name);
    print_text(out, purpose);
    putc('\n', out);
}

static void print_options(FILE *out, const struct argp *argp, int depth)
{
    const struct argp_option *o = argp->options;

    for (; o && (o->name || o->key != 0 || o->doc); o++) {
        char letter[2] = {0};

        if (!o->name || (o->flags & OPTION_HIDDEN))
            continue;
        if (o->key > ' ' && o->key < 127)
            letter[0] = (char)o->key;
        fputs("option", out);
        print_text(out, o->name);
        print_text(out, letter);
        print_text(out, o->arg);
        print_text(out, !o->arg ? NULL : o->flags & OPTION_ARG_OPTIONAL ? "optional" : "required");
        print_text(out, o->doc);
        putc('\n', out);
    }
    for (const struct argp_child *c = argp->children; c && c->argp && depth < MAX_DEPTH; c++)
        print_options(out, c->argp, depth + 1);
}

void manual_print_argp(FILE *out, const struct argp *argp)
{
    const char *doc = argp->doc ? argp->doc : "", *behind = strchr(doc, '\v');

    fputs("usage", out);
    print_text(out, argp->args_doc);
    print_field(out, doc, behind ? (size_t)(behind - doc) : strlen(doc));
    print_text(out, behind ? behind + 1 : NULL);
    putc('\n', out);
    print_options(out, argp, 0);
}
