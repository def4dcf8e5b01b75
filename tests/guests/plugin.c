/* A plugin that has nothing to do with airssys:core: it exports my:app/api and imports my:app/kv (plugin-wit/).
 *
 * It speaks the canonical ABI by hand: strings are (address, length), results that do not fit a register are written to
 * memory whose address is returned. All memory of one call lies in one arena, which is empty again after it.
 */
#include <stddef.h>
#include <stdint.h>

#define API "my:app/api@1.0.0#"
#define EXPORT(name) __attribute__((export_name(API name)))
#define AFTER(name) __attribute__((export_name("cabi_post_" API name)))
#define KV(name) __attribute__((import_module("my:app/kv@1.0.0"), import_name(name))) extern
#define OWN(name) __attribute__((import_module("[export]my:app/api@1.0.0"), import_name(name))) extern

typedef struct { char *at; size_t size; } text;
typedef struct { int32_t x, y; } point;
typedef struct { uint8_t is_some; text value; } maybe_text;
typedef struct { uint8_t tag; union { text text; struct { uint32_t code; text text; } reason; }; } kv_error;
typedef struct { uint8_t is_err; union { text value; kv_error error; }; } looked_up;
typedef struct { uint8_t is_err; union { int32_t store; text error; }; } found;
typedef struct counter { uint32_t value; struct counter *next_free; } counter;

KV("get") void kv_get(char *key, size_t size, looked_up *result);
KV("set") void kv_set(char *key, size_t key_size, char *value, size_t value_size);
KV("wait") uint32_t kv_wait(uint32_t number);
KV("[constructor]store") int32_t store_new(char *name, size_t size);
KV("[method]store.get") void store_get(int32_t store, char *key, size_t size, maybe_text *result);
KV("[static]store.find") void store_find(char *name, size_t size, found *result);
KV("[resource-drop]store") void store_drop(int32_t store);
OWN("[resource-new]counter") int32_t counter_new(counter *self);
OWN("[resource-rep]counter") counter *counter_rep(int32_t handle);
OWN("[resource-drop]counter") void counter_drop(int32_t handle);

extern uint8_t __heap_base;
static uint8_t *next;

static void *take(size_t size, size_t align) {
    if (!next) next = &__heap_base;
    uint8_t *start = (uint8_t *)(((uintptr_t)next + align - 1) & ~(uintptr_t)(align - 1));
    next = start + size;
    const size_t end = ((uintptr_t)next + 65535) / 65536, have = __builtin_wasm_memory_size(0);
    if (end > have && __builtin_wasm_memory_grow(0, end - have) == SIZE_MAX) __builtin_trap();
    return start;
}

__attribute__((export_name("cabi_realloc")))
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    void *fresh = take(size, align);
    return old ? __builtin_memcpy(fresh, old, old_size) : fresh;
}

static void empty(void) { next = &__heap_base; }

AFTER("greet") void greet_after(void *result) { (void)result; empty(); }
EXPORT("greet") text *greet(char *name, size_t size) {
    text *answer = take(sizeof *answer, 4);
    answer->size = size + 8;
    answer->at = take(answer->size, 1);
    __builtin_memcpy(answer->at, "Hello, ", 7);
    __builtin_memcpy(answer->at + 7, name, size);
    answer->at[size + 7] = '!';
    return answer;
}

AFTER("middle") void middle_after(void *result) { (void)result; empty(); }
EXPORT("middle") point *middle(int32_t ax, int32_t ay, int32_t bx, int32_t by) {
    point *answer = take(sizeof *answer, 4);
    *answer = (point){ax + (bx - ax) / 2, ay + (by - ay) / 2};
    return answer;
}

EXPORT("size-of") uint32_t size_of(uint32_t tag, int32_t a, int32_t b, int32_t c, int32_t d) {
    if (tag != 2) return tag ? 0 : (uint32_t)a;
    const int32_t x = c - a, y = d - b;
    return (uint32_t)((x < 0 ? -x : x) + (y < 0 ? -y : y));
}

EXPORT("next-colour") uint32_t next_colour(uint32_t colour) { return !colour; }
EXPORT("other-access") uint32_t other_access(uint32_t access) { return ~access & 7; }

AFTER("look-up") void look_up_after(void *result) { (void)result; empty(); }
EXPORT("look-up") looked_up *look_up(char *key, size_t size) {
    looked_up *answer = take(sizeof *answer, 4);
    kv_get(key, size, answer);
    return answer;
}

EXPORT("remember") void remember(char *key, size_t key_size, char *value, size_t value_size) {
    kv_set(key, key_size, value, value_size);
    empty();
}

EXPORT("wait") uint32_t wait_for(uint32_t number) { return kv_wait(number); }
EXPORT("spin") void spin(void) { for (volatile uint32_t round = 0;; round++); }
EXPORT("crash") void crash(void) { __builtin_trap(); }

EXPORT("open") int32_t open(char *name, size_t size) {
    const int32_t store = store_new(name, size);
    empty();
    return store;
}

AFTER("find") void find_after(void *result) { (void)result; empty(); }
EXPORT("find") found *find(char *name, size_t size) {
    found *answer = take(sizeof *answer, 4);
    store_find(name, size, answer);
    if (!answer->is_err) store_drop(answer->store);
    return answer;
}

AFTER("read") void read_after(void *result) { (void)result; empty(); }
EXPORT("read") maybe_text *read(int32_t store, char *key, size_t size) {
    maybe_text *answer = take(sizeof *answer, 4);
    store_get(store, key, size, answer);
    store_drop(store); /* a borrowed handle is given back before the call ends */
    return answer;
}

EXPORT("keep") void keep(int32_t store) { (void)store; }
EXPORT("forget") void forget(int32_t store) { store_drop(store); }

static counter counters[256];
static counter *free_counters;
static uint32_t used_counters, dropped_counters;

static int32_t make(uint32_t value) {
    counter *self = free_counters;
    if (self) free_counters = self->next_free;
    else if (used_counters < 256) self = &counters[used_counters++];
    else __builtin_trap();
    self->value = value;
    return counter_new(self);
}

__attribute__((export_name(API "[dtor]counter"))) void counter_end(counter *self) {
    self->next_free = free_counters;
    free_counters = self;
    dropped_counters++;
}

EXPORT("[constructor]counter") int32_t counter_start(uint32_t start) { return make(start); }
EXPORT("[method]counter.add") uint32_t counter_add(counter *self, uint32_t number) { return self->value += number; }
EXPORT("[static]counter.zero") int32_t counter_zero(void) { return make(0); }
EXPORT("[static]counter.merge") int32_t counter_merge(int32_t first, int32_t second) {
    const uint32_t sum = counter_rep(first)->value + counter_rep(second)->value;
    counter_drop(first);
    counter_drop(second);
    return make(sum);
}
EXPORT("dropped") uint32_t dropped(void) { return dropped_counters; }
