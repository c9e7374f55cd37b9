#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/zoo.h"
#include "shard/file.h"

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] != '\0' ? value : NULL;
}

/* PREFIX/share/fakesift when the program runs as PREFIX/bin/fakesift and the folder is fakesift's; else NULL.
 */
static char *installed_data_folder(void)
{
    char exe[4096];
    char *folder = NULL, *index = NULL;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    for (int up = 0; up < 2; up++) {
        while (n > 0 && exe[n - 1] != '/')
            n--;
        n--; /* the slash */
    }
    if (n <= 0)
        return NULL;
    exe[n] = '\0';
    folder = file_join(exe, "share/fakesift");
    index = folder ? file_join(folder, "zoo.json") : NULL;
    if (!index || access(index, R_OK) != 0) {
        free(folder);
        folder = NULL;
    }
    free(index);
    return folder;
}

char *zoo_data_folder(void)
{
    const char *given = variable("FAKESIFT_DATA");
    char *installed;

    if (given)
        return strdup(given);
    installed = installed_data_folder();
    return installed ? installed : strdup(FAKESIFT_DATA_DIR);
}

char *zoo_cache_folder(void)
{
    const char *given = variable("FAKESIFT_CACHE"), *xdg = variable("XDG_CACHE_HOME"), *home = variable("HOME");
    struct passwd *user;

    if (given)
        return strdup(given);
    if (xdg && xdg[0] == '/') /* the XDG specification: a relative one is ignored */
        return file_join(xdg, "fakesift");
    if (home)
        return file_join(home, ".cache/fakesift");
    user = getpwuid(getuid());
    return file_join(user && user->pw_dir ? user->pw_dir : "/", ".cache/fakesift");
}
