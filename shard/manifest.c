#include "shard/manifest.h"
#include "shard/spans.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    ENTRIES_PER_BLOCK = 4096,
    TEXT_BLOCK_BYTES = 256 * 1024,
    POINTER_BYTES = sizeof(void *), /* of an entry in order */
};

/* Strings live in blocks that are never moved, so pointers into them stay. */
struct text_block {
    struct text_block *next;
    size_t used_bytes;
    char bytes[TEXT_BLOCK_BYTES];
};

struct entry_block {
    struct entry_block *next;
    size_t n_used;
    struct manifest_entry entries[ENTRIES_PER_BLOCK];
};

struct facts_node {
    struct facts_node *next;
    struct video_facts facts;
};

struct manifest {
    char *root, *layout;
    struct text_block *texts;
    struct entry_block *blocks;
    struct facts_node *facts;
    struct manifest_entry **order; /* every entry, by path once sorted */
    size_t n_entries, room;
    bool sorted;
    /* Strings that repeat (labels, originals, people), each kept once: open addressing, a power of two. */
    const char **table;
    size_t n_interned, table_room;
};

const char *label_name(enum label l)
{
    switch (l) {
    case LABEL_REAL:
        return "REAL";
    case LABEL_FAKE:
        return "FAKE";
    default:
        return "";
    }
}

enum status label_parse(const char *text, enum label *ret_label)
{
    if (strcasecmp(text, "REAL") == 0 || strcmp(text, "0") == 0)
        *ret_label = LABEL_REAL;
    else if (strcasecmp(text, "FAKE") == 0 || strcmp(text, "1") == 0)
        *ret_label = LABEL_FAKE;
    else if (text[0] == '\0')
        *ret_label = LABEL_UNKNOWN;
    else
        return STATUS_INVALID;
    return STATUS_OK;
}

enum status manifest_create(const char *root, const char *layout, struct manifest **ret_m, struct error *e)
{
    struct manifest *m;

    if (root[0] != '/')
        return error_set(e, STATUS_INVALID, "root: not an absolute folder: '%.200s'", root);
    m = calloc(1, sizeof(*m));
    if (!m)
        return error_no_memory(e);
    m->sorted = true;
    m->root = strdup(root);
    m->layout = strdup(layout);
    if (!m->root || !m->layout) {
        manifest_close(&m);
        return error_no_memory(e);
    }
    *ret_m = m;
    return STATUS_OK;
}

void manifest_close(struct manifest **m)
{
    struct manifest *x = *m;

    if (!x)
        return;
    while (x->texts) {
        struct text_block *next = x->texts->next;

        free(x->texts);
        x->texts = next;
    }
    while (x->blocks) {
        struct entry_block *next = x->blocks->next;

        free(x->blocks);
        x->blocks = next;
    }
    while (x->facts) {
        struct facts_node *next = x->facts->next;

        free(x->facts);
        x->facts = next;
    }
    free(x->root);
    free(x->layout);
    free(x->order);
    free(x->table);
    free(x);
    *m = NULL;
}

/* len <= MANIFEST_MAX_TEXT_BYTES. NULL when out of memory. */
static const char *keep_text(struct manifest *m, const char *text, size_t len)
{
    struct text_block *block = m->texts;
    char *kept;

    if (!block || TEXT_BLOCK_BYTES - block->used_bytes < len + 1) {
        block = malloc(sizeof(*block));
        if (!block)
            return NULL;
        block->used_bytes = 0;
        block->next = m->texts;
        m->texts = block;
    }
    kept = block->bytes + block->used_bytes;
    memcpy(kept, text, len + 1);
    block->used_bytes += len + 1;
    return kept;
}

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
static uint64_t text_hash(const char *text)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        h = (h ^ *p) * UINT64_C(1099511628211);
    return h ^ h >> 32;
}

static bool grow_table(struct manifest *m)
{
    size_t room = m->table_room ? m->table_room * 2 : 256;
    const char **table = calloc(room, sizeof(*table));

    if (!table)
        return false;
    for (size_t i = 0; i < m->table_room; i++) {
        size_t at;

        if (!m->table[i])
            continue;
        for (at = text_hash(m->table[i]) & (room - 1); table[at]; at = (at + 1) & (room - 1))
            ;
        table[at] = m->table[i];
    }
    free(m->table);
    m->table = table;
    m->table_room = room;
    return true;
}

static const char *intern(struct manifest *m, const char *text)
{
    size_t at;

    if (text[0] == '\0')
        return "";
    if (m->n_interned * 2 >= m->table_room && !grow_table(m))
        return NULL;
    for (at = text_hash(text) & (m->table_room - 1); m->table[at]; at = (at + 1) & (m->table_room - 1)) {
        if (strcmp(m->table[at], text) == 0)
            return m->table[at];
    }
    m->table[at] = keep_text(m, text, strlen(text));
    if (m->table[at])
        m->n_interned++;
    return m->table[at];
}

/* The rule that path breaks, or NULL. */
static const char *path_rule(const char *path)
{
    const char *p = path;

    if (path[0] == '\0')
        return "must not be empty";
    if (strnlen(path, MANIFEST_MAX_TEXT_BYTES + 1) > MANIFEST_MAX_TEXT_BYTES)
        return "longer than 4095 bytes";
    if (path[0] == '/')
        return "must be relative to the root, not absolute";
    for (;;) {
        const char *end = strchrnul(p, '/');
        size_t len = (size_t)(end - p);

        if (len == 0 || (len == 1 && p[0] == '.'))
            return "has an empty or '.' component";
        if (len == 2 && p[0] == '.' && p[1] == '.')
            return "has a '..' component";
        if (*end == '\0')
            return NULL;
        p = end + 1;
    }
}

/* One slot for an entry, in order as well. NULL when out of memory. */
static struct manifest_entry *new_entry(struct manifest *m)
{
    struct entry_block *block = m->blocks;

    if (m->n_entries == m->room) {
        size_t room = m->room ? m->room * 2 : 1024;
        struct manifest_entry **order = reallocarray(m->order, room, POINTER_BYTES);

        if (!order)
            return NULL;
        m->order = order;
        m->room = room;
    }
    if (!block || block->n_used == ENTRIES_PER_BLOCK) {
        block = malloc(sizeof(*block));
        if (!block)
            return NULL;
        block->n_used = 0;
        block->next = m->blocks;
        m->blocks = block;
    }
    return &block->entries[block->n_used];
}

static const struct video_facts *keep_facts(struct manifest *m, const struct video_facts *facts)
{
    struct facts_node *node = malloc(sizeof(*node));

    if (!node)
        return NULL;
    node->facts = *facts;
    node->next = m->facts;
    m->facts = node;
    return &node->facts;
}

static bool content_ok(const char *content)
{
    size_t len = strlen(content);

    return len == 0 || (len == SHA256_HEX_BYTES - 1 && strspn(content, "0123456789abcdef") == len);
}

static bool archive_ok(const struct manifest_entry *entry, const char *path)
{
    return entry->archive_bytes < strlen(path) && path[entry->archive_bytes] == '/' &&
           entry->offset_bytes <= INT64_MAX && entry->size_bytes <= INT64_MAX - entry->offset_bytes;
}

enum status manifest_add(struct manifest *m, const struct manifest_entry *entry, struct error *e)
{
    static const char *const names[] = {"split", "family", "original", "identity", "group", "method", "fake_segments"};
    const char *const given[] = {entry->split, entry->family, entry->original,     entry->identity,
                                 entry->group, entry->method, entry->fake_segments};
    const char *kept[7];
    const char *path = entry->path ? entry->path : "";
    const char *rule = path_rule(path);
    struct span_s spans[SPANS_MAX];
    size_t n_spans;
    struct manifest_entry *slot;

    if (rule)
        return error_set(e, STATUS_INVALID, "path: %s: '%.200s'", rule, path);
    if (entry->facts && !video_facts_valid(entry->facts))
        return error_set(e, STATUS_INVALID, "facts: out of range for '%.200s'", path);
    for (size_t i = 0; i < 7; i++) {
        const char *text = given[i] ? given[i] : "";

        if (strnlen(text, MANIFEST_MAX_TEXT_BYTES + 1) > MANIFEST_MAX_TEXT_BYTES)
            return error_set(e, STATUS_INVALID, "%s: longer than %d bytes: '%.200s'", names[i], MANIFEST_MAX_TEXT_BYTES,
                             text);
        kept[i] = intern(m, text);
        if (!kept[i])
            return error_no_memory(e);
    }
    if (spans_parse(kept[6], spans, &n_spans) != STATUS_OK)
        return error_set(e, STATUS_INVALID, "fake_segments: not START:END;START:END in seconds: '%.200s'", kept[6]);
    if (entry->content && !content_ok(entry->content))
        return error_set(e, STATUS_INVALID, "content_sha256: not 64 digits in lower-case hex: '%.80s'", entry->content);
    if (entry->archive_bytes > 0 && !archive_ok(entry, path))
        return error_set(e, STATUS_INVALID, "archive: not the first folders of '%.200s', or an offset beyond its end",
                         path);
    slot = new_entry(m);
    if (!slot)
        return error_no_memory(e);
    *slot = (struct manifest_entry){
        .path = keep_text(m, path, strlen(path)),
        .label = entry->label,
        .split = kept[0],
        .family = kept[1],
        .original = kept[2],
        .identity = kept[3],
        .group = kept[4],
        .method = kept[5],
        .fake_segments = kept[6],
        .content = entry->content && entry->content[0] ? keep_text(m, entry->content, strlen(entry->content)) : "",
        .exists = entry->exists,
        .size_bytes = entry->exists ? entry->size_bytes : 0,
        .mtime_ns = entry->exists ? entry->mtime_ns : 0,
        .archive_bytes = entry->archive_bytes,
        .offset_bytes = entry->exists && entry->archive_bytes > 0 ? entry->offset_bytes : 0,
    };
    if (!slot->path || !slot->content)
        return error_no_memory(e);
    if (entry->facts) {
        slot->facts = keep_facts(m, entry->facts);
        if (!slot->facts)
            return error_no_memory(e);
    }
    if (m->n_entries > 0 && strcmp(m->order[m->n_entries - 1]->path, slot->path) >= 0)
        m->sorted = false;
    m->blocks->n_used++;
    m->order[m->n_entries++] = slot;
    return STATUS_OK;
}

static int by_path(const void *a, const void *b)
{
    const struct manifest_entry *const *x = a, *const *y = b;

    return strcmp((*x)->path, (*y)->path);
}

enum status manifest_sort(struct manifest *m, struct error *e)
{
    if (m->sorted)
        return STATUS_OK;
    qsort(m->order, m->n_entries, POINTER_BYTES, by_path);
    for (size_t i = 1; i < m->n_entries; i++) {
        if (strcmp(m->order[i - 1]->path, m->order[i]->path) == 0)
            return error_set(e, STATUS_INVALID, "path: stands twice: '%.200s'", m->order[i]->path);
    }
    m->sorted = true;
    return STATUS_OK;
}

const char *manifest_root(const struct manifest *m)
{
    return m->root;
}

const char *manifest_layout(const struct manifest *m)
{
    return m->layout;
}

size_t manifest_count(const struct manifest *m)
{
    return m->n_entries;
}

const struct manifest_entry *manifest_entry(const struct manifest *m, size_t index)
{
    return m->order[index];
}

void manifest_prefetch(const struct manifest *m, size_t index)
{
    __builtin_prefetch(&m->order[index]);
}

size_t manifest_find(const struct manifest *m, const char *path)
{
    size_t low = 0, high = m->n_entries;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(m->order[middle]->path, path);

        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

enum status manifest_set_facts(struct manifest *m, size_t index, const struct video_facts *facts)
{
    const struct video_facts *kept;

    if (!video_facts_valid(facts))
        return STATUS_INVALID;
    kept = keep_facts(m, facts);
    if (!kept)
        return STATUS_NO_MEMORY;
    m->order[index]->facts = kept;
    return STATUS_OK;
}

enum status manifest_set_content(struct manifest *m, size_t index, const char *content)
{
    const char *kept = "";

    if (!content_ok(content))
        return STATUS_INVALID;
    if (content[0] != '\0')
        kept = keep_text(m, content, strlen(content));
    if (!kept)
        return STATUS_NO_MEMORY;
    m->order[index]->content = kept;
    return STATUS_OK;
}

enum status manifest_set_place(struct manifest *m, size_t index, const struct manifest_entry *place)
{
    struct manifest_entry *entry = m->order[index];

    if (place->archive_bytes > 0 && !archive_ok(place, entry->path))
        return STATUS_INVALID;
    entry->exists = place->exists;
    entry->archive_bytes = place->archive_bytes;
    entry->offset_bytes = place->exists && place->archive_bytes > 0 ? place->offset_bytes : 0;
    entry->size_bytes = place->exists ? place->size_bytes : 0;
    entry->mtime_ns = place->exists ? place->mtime_ns : 0;
    return STATUS_OK;
}

static void hash_u64(struct hasher *h, uint64_t value)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    hasher_update(h, bytes, sizeof(bytes));
}

enum status manifest_hash(const struct manifest *m, char ret_hex[SHA256_HEX_BYTES], struct error *e)
{
    struct hasher *h;

    if (!m->sorted)
        return error_set(e, STATUS_BUG, "manifest_hash: the manifest is not sorted");
    h = hasher_open();
    if (!h)
        return error_no_memory(e);
    hasher_update_text(h, "fakesift manifest 1");
    hash_u64(h, m->n_entries);
    for (size_t i = 0; i < m->n_entries; i++) {
        const struct manifest_entry *entry = m->order[i];

        hasher_update_text(h, entry->path);
        hash_u64(h, entry->exists);
        hash_u64(h, entry->size_bytes);
        hasher_update_text(h, label_name(entry->label));
        hasher_update_text(h, entry->split);
        hasher_update_text(h, entry->family);
        hasher_update_text(h, entry->original);
        hasher_update_text(h, entry->identity);
        hasher_update_text(h, entry->group);
        /* Without these a manifest hashes as it did before they were known. */
        if (entry->archive_bytes > 0) {
            hash_u64(h, entry->archive_bytes);
            hash_u64(h, entry->offset_bytes);
        }
        if (entry->method[0] != '\0')
            hasher_update_text(h, entry->method);
        if (entry->fake_segments[0] != '\0') {
            hasher_update_text(h, "fake_segments");
            hasher_update_text(h, entry->fake_segments);
        }
    }
    hasher_finish(h, ret_hex);
    hasher_close(&h);
    return STATUS_OK;
}
