#include "coordinator/main_opened.h"

void opened_close(struct opened *o)
{
    reduction_clear(&o->reduction);
    manifest_close(&o->manifest);
    run_folder_close(&o->folder);
}

enum status opened_open(const char *path, struct opened *ret_o, struct error *e)
{
    struct opened o = {0};
    enum status s = run_folder_open_readonly(path, &o.folder, e);

    if (s == STATUS_OK)
        s = manifest_read(run_folder_manifest_path(o.folder), &o.manifest, e);
    if (s == STATUS_OK)
        s = reduce(run_folder_journal_path(o.folder), run_folder_fingerprint(o.folder), o.manifest, &o.reduction, e);
    if (s != STATUS_OK) {
        opened_close(&o);
        return s;
    }
    *ret_o = o;
    return STATUS_OK;
}
