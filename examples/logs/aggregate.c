/* Counts requests and bytes per path and status, and reports them when the input has ended.
 *
 * Takes lines of JSON with the members path (a string), status (100 to 599) and, if there, bytes; answers none. A
 * message with content-type application/x.airssys.flush answers the report and begins anew: one JSON document, the
 * most requested path first, equal ones in byte order, with a line for each path so that people can read it too.
 *
 * Memory is bounded: at most MAX_ROWS pairs of path and status are kept, first come, first served; the requests of
 * any further pair are counted together under "other". Of a path, only the first MAX_PATH bytes count (as written in
 * JSON). So the report stays below 1 MiB, whatever comes in.
 */
#include "json.h"

#define MAX_ROWS 2048
#define MAX_PATH 256
#define SLOTS 4096 /* twice MAX_ROWS, a power of two: a free slot is always near */
#define STATUSES 600

typedef struct { ag_bytes path; uint64_t status, requests, bytes; } row; /* path in lasting memory */
typedef struct { uint32_t first, size; uint64_t requests, bytes; } group; /* the rows of one path */

static row rows[MAX_ROWS];
static uint32_t row_count;
static uint16_t slots[SLOTS]; /* index of a row plus one; 0 is free */
static uint64_t requests, bytes, other_requests, other_bytes, by_status[STATUSES];

static void add(uint64_t *sum, uint64_t more) { *sum = *sum > UINT64_MAX - more ? UINT64_MAX : *sum + more; }

/* ---- counting --------------------------------------------------------------------------------------------- */

/* The first bytes of a JSON string, not cut within an escape or a character. */
static ag_bytes shortened(ag_bytes path) {
    size_t size = 0;
    while (size < path.size) {
        size_t unit = path.data[size] != '\\' ? 1 : size + 1 < path.size && path.data[size + 1] == 'u' ? 6 : 2;
        while (size + unit < path.size && (path.data[size + unit] & 0xc0) == 0x80) unit++;
        if (size + unit > MAX_PATH || size + unit > path.size) break;
        size += unit;
    }
    return (ag_bytes){path.data, size};
}

static uint32_t hash(ag_bytes path, uint64_t status) { /* FNV-1a */
    uint32_t value = 2166136261u ^ (uint32_t)status;
    for (size_t i = 0; i < path.size; i++) value = (value ^ path.data[i]) * 16777619u;
    return value ^ value >> 16;
}

/* The row of a path and a status; a new one if need be, NULL when there is no more room. */
static row *find_row(ag_bytes path, uint64_t status) {
    uint32_t slot = hash(path, status) % SLOTS;
    for (; slots[slot]; slot = (slot + 1) % SLOTS) {
        row *const found = &rows[slots[slot] - 1];
        if (found->status == status && ag_equal(found->path, path)) return found;
    }
    uint8_t *const kept = row_count < MAX_ROWS ? ag_alloc(path.size) : NULL;
    if (!kept) return NULL;
    __builtin_memcpy(kept, path.data, path.size);
    rows[row_count] = (row){{kept, path.size}, status, 0, 0};
    slots[slot] = (uint16_t)(row_count + 1);
    return &rows[row_count++];
}

static void count(ag_bytes path, uint64_t status, uint64_t size) {
    row *const counted = find_row(shortened(path), status);
    requests++;
    by_status[status]++;
    add(&bytes, size);
    *(counted ? &counted->requests : &other_requests) += 1;
    add(counted ? &counted->bytes : &other_bytes, size);
}

static bool read_line(json in, ag_bytes *path, uint64_t *status, uint64_t *size) {
    ag_bytes key;
    bool has_path = false;
    *status = *size = 0;
    if (!json_char(&in, '{')) return false;
    for (bool first = true; !json_char(&in, '}'); first = false) {
        if (!json_member(&in, first, &key)) return false;
        const bool taken = ag_equal(key, AG("path"))     ? (has_path = json_string(&in, path))
                           : ag_equal(key, AG("status")) ? json_u64(&in, status)
                           : ag_equal(key, AG("bytes"))  ? json_u64(&in, size)
                                                         : json_skip(&in);
        if (!taken) return false;
    }
    json_space(&in);
    return in.at == in.end && has_path && *status >= 100 && *status < STATUSES;
}

/* ---- the report ------------------------------------------------------------------------------------------- */

static int compare_bytes(ag_bytes a, ag_bytes b) {
    const size_t shorter = a.size < b.size ? a.size : b.size;
    const int order = __builtin_memcmp(a.data, b.data, shorter);
    return order ? order : a.size < b.size ? -1 : a.size > b.size;
}

static bool row_before(const void *a, const void *b) {
    const row *const x = a, *const y = b;
    const int order = compare_bytes(x->path, y->path);
    return order ? order < 0 : x->status < y->status;
}

static bool group_before(const void *a, const void *b) {
    const group *const x = a, *const y = b;
    return x->requests != y->requests ? x->requests > y->requests : x->first < y->first; /* rows are in path order */
}

/* Shell's sort. The orders above are total, so that it does not matter that it is not stable. */
static void sort(void *items, size_t size, size_t unit, bool (*before)(const void *, const void *)) {
    uint8_t *const base = items, moving[sizeof(row)];
    for (size_t gap = size / 2; gap; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (size_t i = gap; i < size; i++) {
            size_t hole = i;
            __builtin_memcpy(moving, base + i * unit, unit);
            for (; hole >= gap && before(moving, base + (hole - gap) * unit); hole -= gap)
                __builtin_memcpy(base + hole * unit, base + (hole - gap) * unit, unit);
            __builtin_memcpy(base + hole * unit, moving, unit);
        }
}

static uint32_t group_rows(group *groups) {
    uint32_t size = 0;
    for (uint32_t i = 0; i < row_count; i++) {
        if (i == 0 || !ag_equal(rows[i].path, rows[i - 1].path)) groups[size++] = (group){i, 0, 0, 0};
        group *const current = &groups[size - 1];
        current->size++;
        current->requests += rows[i].requests;
        add(&current->bytes, rows[i].bytes);
    }
    return size;
}

static void put_number(ag_text *out, ag_bytes before, uint64_t value) {
    ag_put(out, before);
    ag_put_u64(out, value);
}

static void put_status(ag_text *out, uint64_t status, uint64_t count, bool first) {
    put_number(out, first ? AG("\"") : AG(",\""), status);
    put_number(out, AG("\":"), count);
}

static void put_group(ag_text *out, const group *path) {
    ag_put(out, AG("{\"path\":\""));
    ag_put(out, rows[path->first].path); /* still escaped, as it came */
    put_number(out, AG("\",\"requests\":"), path->requests);
    put_number(out, AG(",\"bytes\":"), path->bytes);
    ag_put(out, AG(",\"statuses\":{"));
    for (uint32_t i = 0; i < path->size; i++) {
        const row *const counted = &rows[path->first + i];
        put_status(out, counted->status, counted->requests, i == 0);
    }
    ag_put(out, AG("}}"));
}

static void put_totals(ag_text *out) {
    put_number(out, AG("{\"requests\":"), requests);
    put_number(out, AG(",\"bytes\":"), bytes);
    ag_put(out, AG(",\"statuses\":{"));
    bool first = true;
    for (uint64_t status = 0; status < STATUSES; status++) {
        if (!by_status[status]) continue;
        put_status(out, status, by_status[status], first);
        first = false;
    }
    put_number(out, AG("},\"other\":{\"requests\":"), other_requests);
    put_number(out, AG(",\"bytes\":"), other_bytes);
}

static ag_bytes report(void) {
    group *const groups = ag_scratch(row_count * sizeof(group));
    sort(rows, row_count, sizeof(row), row_before);
    const uint32_t size = group_rows(groups);
    sort(groups, size, sizeof(group), group_before);
    ag_text out = {0};
    put_totals(&out);
    ag_put(&out, AG("},\"paths\":["));
    for (uint32_t i = 0; i < size; i++) {
        ag_put(&out, i ? AG(",\n") : AG("\n"));
        put_group(&out, &groups[i]);
    }
    ag_put(&out, AG("\n]}"));
    return ag_done_text(&out);
}

static void begin_anew(void) {
    for (uint32_t i = 0; i < row_count; i++) ag_free((void *)rows[i].path.data);
    row_count = 0;
    requests = bytes = other_requests = other_bytes = 0;
    __builtin_memset(slots, 0, sizeof slots);
    __builtin_memset(by_status, 0, sizeof by_status);
}

/* ----------------------------------------------------------------------------------------------------------- */

ag_answer guest_handle_message(const ag_message *message) {
    const ag_maybe_bytes *const type = &message->metadata.content_type;
    if (type->some && ag_equal(type->value, AG("application/x.airssys.flush"))) {
        const ag_bytes reported = report();
        begin_anew();
        return ag_some(reported);
    }
    const ag_bytes text = message->payload;
    ag_bytes path;
    uint64_t status, size;
    if (!ag_is_utf8(text) || !read_line((json){text.data, text.data + text.size}, &path, &status, &size))
        return ag_fail(AG_RUNTIME_ERROR, AG("expected a JSON object with path, status and bytes"));
    count(path, status, size);
    return ag_none();
}

ag_metadata guest_metadata(void) {
    static const ag_bytes operations[] = {AG("count"), AG("flush")};
    return (ag_metadata){
        .name = AG("aggregate"),
        .version = AG("1.0.0"),
        .description = AG("Counts requests and bytes per path and status"),
        .author = AG("airssys"),
        .license = AG("Apache-2.0"),
        .supported_operations = {operations, 2},
        .stateful = true,
    };
}
