/* Memory and text for guests without a libc.
 *
 * Two allocators, one on top of the other. ag_alloc is a first-fit list of free blocks in address order that merges
 * neighbours (Kernighan & Ritchie, "The C Programming Language", section 8.7). Scratch memory is a stack of chunks
 * that is emptied after every call; its first chunk is static, so a small message never touches the list.
 */
#include "airssys_guest.h"

/* With -mbulk-memory the builtins below are single instructions; the functions exist because compilers call them. */
void *memcpy(void *to, const void *from, size_t size) { return __builtin_memcpy(to, from, size); }
void *memmove(void *to, const void *from, size_t size) { return __builtin_memmove(to, from, size); }
void *memset(void *to, int value, size_t size) { return __builtin_memset(to, value, size); }
int memcmp(const void *a, const void *b, size_t size) {
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
    return 0;
}

/* ---- lasting memory --------------------------------------------------------------------------------------- */

typedef struct block { struct block *next; size_t size; } block; /* size in bytes, this header included */

#define PAGE 65536u
#define ROUND_UP(size, unit) (((size) + (unit) - 1) / (unit) * (unit))
#define LARGEST 0x7fff0000u

extern uint8_t __heap_base;
static block *free_blocks;
static bool heap_started;

static void insert_block(block *freed) {
    block *before = NULL, *after = free_blocks;
    while (after && after < freed) before = after, after = after->next;
    freed->next = after;
    if (before) before->next = freed; else free_blocks = freed;
    if (after && (uint8_t *)freed + freed->size == (uint8_t *)after)
        freed->size += after->size, freed->next = after->next;
    if (before && (uint8_t *)before + before->size == (uint8_t *)freed)
        before->size += freed->size, before->next = freed->next;
}

static void add_region(uintptr_t start, uintptr_t end) {
    start = ROUND_UP(start, 8);
    if (start + sizeof(block) > end) return;
    block *region = (block *)start;
    region->size = end - start;
    insert_block(region);
}

static bool grow(size_t size) {
    const size_t pages = ROUND_UP(size, PAGE) / PAGE;
    const size_t first = __builtin_wasm_memory_grow(0, pages);
    if (first == SIZE_MAX || first + pages >= PAGE) return false; /* refused, or its end would not fit in 32 bits */
    add_region(first * PAGE, (first + pages) * PAGE);
    return true;
}

static void *take_block(size_t size) {
    for (block **link = &free_blocks; *link; link = &(*link)->next) {
        block *found = *link;
        if (found->size < size) continue;
        if (found->size - size >= 2 * sizeof(block)) {
            block *rest = (block *)((uint8_t *)found + size);
            rest->size = found->size - size;
            rest->next = found->next;
            *link = rest;
            found->size = size;
        } else {
            *link = found->next;
        }
        return found + 1;
    }
    return NULL;
}

void *ag_alloc(size_t size) {
    if (size > LARGEST) return NULL;
    if (!heap_started) {
        heap_started = true;
        add_region((uintptr_t)&__heap_base, __builtin_wasm_memory_size(0) * PAGE);
    }
    size = ROUND_UP(size, 8) + sizeof(block);
    void *memory = take_block(size);
    return memory || !grow(size) ? memory : take_block(size);
}

void ag_free(void *memory) {
    if (memory) insert_block((block *)memory - 1);
}

/* ---- scratch memory --------------------------------------------------------------------------------------- */

typedef struct chunk { struct chunk *below; size_t used, size; uint8_t *memory; } chunk;

#define FIRST_CHUNK 8192u
static uint64_t first_memory[FIRST_CHUNK / 8];
static chunk first = {NULL, 0, FIRST_CHUNK, (uint8_t *)first_memory};
static chunk *top = &first;

void *ag_scratch(size_t size) {
    if (size > LARGEST) __builtin_trap();
    size = ROUND_UP(size, 8);
    if (size > top->size - top->used) {
        const size_t room = size > FIRST_CHUNK ? size : FIRST_CHUNK;
        chunk *added = ag_alloc(sizeof(chunk) + room);
        if (!added) __builtin_trap();
        *added = (chunk){top, 0, room, (uint8_t *)(added + 1)};
        top = added;
    }
    void *memory = top->memory + top->used;
    top->used += size;
    return memory;
}

void ag_scratch_release(void) {
    while (top->below) {
        chunk *done = top;
        top = done->below;
        ag_free(done);
    }
    top->used = 0;
}

static void *scratch_resize(void *old, size_t old_size, size_t size) {
    uint8_t *end = top->memory + top->used;
    old_size = ROUND_UP(old_size, 8);
    if (size <= old_size) return old;
    if ((uint8_t *)old + old_size == end && size <= LARGEST) { /* the newest one grows where it is */
        const size_t more = ROUND_UP(size, 8) - old_size;
        if (more <= top->size - top->used) {
            top->used += more;
            return old;
        }
    }
    return __builtin_memcpy(ag_scratch(size), old, old_size);
}

/* The host calls this to place what it hands to the guest. No WIT type needs more than 8 bytes of alignment. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    if (size == 0) return (void *)align;
    return old_size ? scratch_resize(old, old_size, size) : ag_scratch(size);
}

/* ---- text ------------------------------------------------------------------------------------------------- */

ag_bytes ag_string(const char *zero_terminated) {
    size_t size = 0;
    while (zero_terminated[size]) size++;
    return (ag_bytes){(const uint8_t *)zero_terminated, size};
}

bool ag_equal(ag_bytes a, ag_bytes b) { return a.size == b.size && memcmp(a.data, b.data, a.size) == 0; }

bool ag_starts_with(ag_bytes text, ag_bytes prefix) {
    return text.size >= prefix.size && memcmp(text.data, prefix.data, prefix.size) == 0;
}

bool ag_is_utf8(ag_bytes text) { /* Unicode 15, table 3-7 */
    for (size_t i = 0; i < text.size;) {
        const uint8_t lead = text.data[i++];
        if (lead < 0x80) continue;
        if (lead < 0xc2 || lead > 0xf4) return false;
        uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        for (int more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3; more; more--, low = 0x80, high = 0xbf, i++)
            if (i >= text.size || text.data[i] < low || text.data[i] > high) return false;
    }
    return true;
}

ag_bytes ag_take(ag_bytes *rest, char separator) {
    size_t end = 0;
    while (end < rest->size && rest->data[end] != (uint8_t)separator) end++;
    const ag_bytes taken = {rest->data, end};
    const size_t used = end < rest->size ? end + 1 : end;
    *rest = (ag_bytes){rest->data + used, rest->size - used};
    return taken;
}

bool ag_parse_u64(ag_bytes digits, uint64_t *value) {
    if (digits.size == 0 || digits.size > 19) return false;
    *value = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') return false;
        *value = *value * 10 + (digits.data[i] - '0');
    }
    return true;
}

bool ag_parse_id(ag_bytes text, char separator, ag_id *id) {
    size_t separators = 0;
    for (size_t i = 0; i < text.size; i++) separators += text.data[i] == (uint8_t)separator;
    if (separators != 2 || !ag_is_utf8(text)) return false;
    id->space = ag_take(&text, separator);
    id->name = ag_take(&text, separator);
    id->instance = text;
    return true;
}

void ag_put(ag_text *text, ag_bytes bytes) {
    if (bytes.size > text->room - text->size) {
        const size_t needed = text->size + bytes.size;
        const size_t room = needed < 64 ? 64 : needed < LARGEST / 2 ? needed * 2 : needed;
        text->data = text->room ? scratch_resize(text->data, text->room, room) : ag_scratch(room);
        text->room = room;
    }
    if (bytes.size) __builtin_memcpy(text->data + text->size, bytes.data, bytes.size);
    text->size += bytes.size;
}

void ag_put_char(ag_text *text, char c) { ag_put(text, (ag_bytes){(const uint8_t *)&c, 1}); }

void ag_put_u64(ag_text *text, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + value % 10); while (value /= 10);
    ag_put(text, (ag_bytes){(const uint8_t *)digits + at, sizeof digits - at});
}

void ag_put_id(ag_text *text, ag_id id, char separator) {
    ag_put(text, id.space);
    ag_put_char(text, separator);
    ag_put(text, id.name);
    ag_put_char(text, separator);
    ag_put(text, id.instance);
}

ag_bytes ag_done_text(const ag_text *text) { return (ag_bytes){text->data, text->size}; }
