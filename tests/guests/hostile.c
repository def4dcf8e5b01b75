/* Misbehaves on demand, and probes every host function: the payload's first word picks what happens.
 *
 * An id is written ns|name|inst. "ok ..." and "err case: text" show a WIT result. An unknown word, or an argument
 * that makes no sense, answers err(runtime-error("usage: WORD ...")).
 *
 * | payload                          | what happens                                                             |
 * |----------------------------------|--------------------------------------------------------------------------|
 * | echo REST                        | answers REST                                                             |
 * | none / empty                     | answers none / some("")                                                  |
 * | err CASE [TEXT]                  | answers err; CASE is one of wasm-error's names                           |
 * | huge N                           | answers N bytes, all 'x'                                                 |
 * | count                            | answers how many messages this instance has had, this one included       |
 * | pages                            | answers the size of its memory in pages                                  |
 * | envelope                         | answers sender, correlation-id, reply-to, timestamp, content-type: lines |
 * | env                              | answers what initialize got: lines "env K=V", "config TEXT",             |
 * |                                  | "max-memory-bytes N", "max-execution-time-ms N", "max-fuel N"; or "none" |
 * | last-callback                    | answers the last callback: lines content-type, correlation-id, sender,   |
 * |                                  | then a line "payload" and the payload; "none" when there was none        |
 * | callbacks                        | answers how many callbacks there were                                    |
 * | health STATUS                    | health says STATUS from now on                                           |
 * | loop                             | never returns                                                            |
 * | spin N                           | N rounds of arithmetic, then answers "ok"                                |
 * | trap / divzero / oob             | unreachable / integer divide by zero / a load beyond the memory          |
 * | stack-overflow                   | calls itself until the call stack is exhausted                           |
 * | shadow-overflow                  | runs over the end of its own stack in memory: out of bounds              |
 * | memory-bomb                      | grows page by page until refused, touches every page, traps              |
 * | memory-bomb report               | the same, but answers "grew N pages to M"; the pages stay                |
 * | fill N                           | one memory.fill of N MiB, grown first when needed; answers "ok"          |
 * | invalid-answer KIND              | pointer, length, result, option, error, utf8: what it returns breaks     |
 * |                                  | the canonical ABI in that place                                          |
 * | log-flood N [SIZE]               | N log lines, of SIZE bytes each when given; answers "ok"                 |
 * | send-storm N ID                  | N sends; answers "ok=N delivery-failed=N correlation-timeout=N           |
 * |                                  | invalid-message=N queue-full=N target-not-found=N"                       |
 * | sleep MS                         | host-services.sleep-millis; answers "ok"                                 |
 * | sleep-loop MS                    | the same, for ever                                                       |
 * | send ID DATA                     | host-messaging.send                                                      |
 * | send-size N ID                   | the same with N bytes 'x'                                                |
 * | send-raw HOW                     | bad strings to send: utf8 (invalid bytes in the id), pointer             |
 * | request MS ID DATA               | host-messaging.request; "ok CORRELATION"                                 |
 * | cancel CORRELATION               | host-messaging.cancel-request                                            |
 * | request-cancel MS ID DATA        | both in one call; "ok CORRELATION" when both are ok                      |
 * | late-cancel NAP MS ID DATA       | the same with a sleep of NAP ms in between                               |
 * | broadcast ID,ID,... DATA         | host-messaging.broadcast                                                 |
 * | self-id                          | answers ns/name/inst                                                     |
 * | log LEVEL TEXT                   | host-services.log without context                                        |
 * | log-with LEVEL K=V,K=V TEXT      | the same with context                                                    |
 * | time / millis                    | "SECONDS NANOSECONDS" / milliseconds                                     |
 * | list                             | host-services.list-components: lines ns/name/inst                        |
 * | meta ID                          | get-component-metadata; "ok ns/name/inst NAME VERSION HEALTH"            |
 * | storage-get K                    | "ok some VALUE" or "ok none"                                             |
 * | storage-set K V                  | "ok"                                                                     |
 * | storage-fill K N                 | sets N bytes 'x'                                                         |
 * | storage-delete K                 | "ok"                                                                     |
 * | storage-exists K                 | "ok true" or "ok false"                                                  |
 * | storage-list [PREFIX]            | "ok" and a line for each key                                             |
 * | storage-usage                    | "ok USED QUOTA KEYS"                                                     |
 *
 * handle-callback: "trap" and "loop" as payload do that, "err TEXT" answers err(runtime-error(TEXT)), "refuse CASE TEXT"
 * err of that wasm-error; anything is kept first.
 *
 * config-data, one directive a line:
 *
 * | line                                        | what happens                                                  |
 * |---------------------------------------------|---------------------------------------------------------------|
 * | init-trap, init-loop, init-sleep MS         | in initialize                                                 |
 * | init-err TEXT                               | initialize answers initialization-failed(TEXT)                |
 * | init-refuse CASE TEXT                       | initialize answers that component-error                       |
 * | init-trap-if KEY                            | initialize traps when storage has KEY                         |
 * | init-log TEXT                               | initialize logs TEXT                                          |
 * | shutdown-trap, shutdown-loop, shutdown-sleep MS | in shutdown                                               |
 * | shutdown-err TEXT                           | shutdown answers shutdown-failed(TEXT)                        |
 * | shutdown-refuse CASE TEXT                   | shutdown answers that component-error                         |
 * | shutdown-log TEXT                           | shutdown logs TEXT                                            |
 * | shutdown-store KEY                          | shutdown sets KEY to "stopped"                                |
 * | health-trap, health-loop, health-sleep MS   | in health                                                     |
 * | health-healthy, -degraded, -unhealthy, -unknown | what health says                                          |
 * | metadata-trap, metadata-loop, metadata-sleep MS | in metadata                                               |
 * | metadata-log TEXT                           | metadata logs TEXT                                            |
 * | metadata-flush                              | metadata lists the operation "flush"                          |
 * | metadata-stateless                          | metadata says that it is not stateful                         |
 */
#include "airssys_guest.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define BLANK (ag_bytes){0, 0}

static uint64_t messages, callbacks;
static ag_bytes environment, directives, last_callback; /* lasting memory */
static int32_t health_override = -1;

/* ---- small things ----------------------------------------------------------------------------------------- */

static ag_bytes keep(ag_bytes bytes) {
    uint8_t *memory = ag_alloc(bytes.size);
    if (!memory) __builtin_trap();
    __builtin_memcpy(memory, bytes.data, bytes.size);
    return (ag_bytes){memory, bytes.size};
}

static ag_bytes number(uint64_t value) {
    ag_text out = {0};
    ag_put_u64(&out, value);
    return ag_done_text(&out);
}

static ag_bytes xs(size_t size) {
    uint8_t *memory = ag_scratch(size);
    __builtin_memset(memory, 'x', size);
    return (ag_bytes){memory, size};
}

static void put_line(ag_text *out, ag_bytes name, ag_bytes value) {
    if (out->size) ag_put_char(out, '\n');
    ag_put(out, name);
    ag_put_char(out, ' ');
    ag_put(out, value);
}

static void put_maybe(ag_text *out, ag_bytes name, ag_maybe_bytes value) {
    put_line(out, name, value.some ? value.value : AG("none"));
}

static ag_bytes printed(ag_id id) {
    ag_text out = {0};
    ag_put_id(&out, id, '/');
    return ag_done_text(&out);
}

static ag_answer usage(ag_bytes arguments) {
    ag_text out = {0};
    ag_put(&out, AG("usage: "));
    ag_put(&out, arguments);
    return ag_fail(AG_RUNTIME_ERROR, ag_done_text(&out));
}

static ag_answer ok(ag_bytes text) {
    ag_text out = {0};
    ag_put(&out, AG("ok"));
    if (text.size) ag_put_char(&out, ' ');
    ag_put(&out, text);
    return ag_some(ag_done_text(&out));
}

static ag_answer err(ag_bytes text) {
    ag_text out = {0};
    ag_put(&out, AG("err "));
    ag_put(&out, text);
    return ag_some(ag_done_text(&out));
}

/* The index of a word in a list of words, or -1. */
static int index_of(ag_bytes word, const char *const *words, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (ag_equal(word, ag_string(words[i]))) return (int)i;
    return -1;
}

static const char *const statuses[] = {"healthy", "degraded", "unhealthy", "unknown"};
static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
static const char *const cases[] = {
    "component-not-found", "instantiation-failed", "export-not-found", "timeout",
    "resource-limit-exceeded", "invalid-component", "runtime-error"};
static const char *const refusals[] = {
    "initialization-failed", "already-initialized", "not-initialized", "shutdown-failed", "invalid-state"};
static const char *const sending[] = {
    "delivery-failed", "correlation-timeout", "invalid-message", "queue-full", "target-not-found"};

/* ---- crimes ----------------------------------------------------------------------------------------------- */

static volatile uint32_t sink;

static void loop(void) { for (;;) sink++; }

__attribute__((noinline)) static uint32_t recurse(uint32_t depth) {
    sink = depth;
    if (sink == UINT32_MAX) return 0; /* for the compiler's sake */
    return recurse(depth + 1) + sink; /* the addition keeps it from becoming a jump */
}

__attribute__((noinline)) static uint32_t recurse_in_memory(uint32_t depth) {
    volatile uint8_t frame[4096];
    frame[depth % sizeof frame] = (uint8_t)depth;
    if (sink == UINT32_MAX) return 0;
    return recurse_in_memory(depth + 1) + frame[depth % sizeof frame];
}

static ag_answer do_loop(ag_bytes rest) { (void)rest; loop(); return ag_none(); }
static ag_answer do_trap(ag_bytes rest) { (void)rest; __builtin_trap(); }
static ag_answer do_stack_overflow(ag_bytes rest) { return ok(number(recurse((uint32_t)rest.size))); }
static ag_answer do_shadow_overflow(ag_bytes rest) { return ok(number(recurse_in_memory((uint32_t)rest.size))); }

static ag_answer do_spin(ag_bytes rest) {
    uint64_t rounds;
    if (!ag_parse_u64(rest, &rounds)) return usage(AG("spin N"));
    for (uint64_t i = 0; i < rounds; i++) sink = sink * 31 + 7;
    return ok(BLANK);
}

static ag_answer do_divzero(ag_bytes rest) {
    volatile uint32_t zero = 0;
    return ok(number((uint32_t)(rest.size + 1) / zero));
}

static ag_answer do_oob(ag_bytes rest) {
    (void)rest;
    return ok(number(*(volatile const uint8_t *)0xfffffff0u));
}

static ag_answer do_memory_bomb(ag_bytes rest) {
    const size_t before = __builtin_wasm_memory_size(0);
    while (__builtin_wasm_memory_grow(0, 1) != SIZE_MAX) {}
    const size_t after = __builtin_wasm_memory_size(0);
    for (size_t page = before; page < after; page++) *(volatile uint8_t *)(page << 16) = 1;
    if (!ag_equal(rest, AG("report"))) __builtin_trap();
    ag_text out = {0};
    ag_put(&out, AG("grew "));
    ag_put_u64(&out, after - before);
    ag_put(&out, AG(" pages to "));
    ag_put_u64(&out, after);
    return ag_some(ag_done_text(&out));
}

static ag_answer do_fill(ag_bytes rest) {
    static uint8_t *region;
    static size_t region_size;
    uint64_t mib;
    if (!ag_parse_u64(rest, &mib) || mib == 0 || mib > 4095) return usage(AG("fill N, up to 4095"));
    if (region_size < mib << 20) {
        const size_t first = __builtin_wasm_memory_grow(0, mib << 4);
        if (first == SIZE_MAX) return ag_fail(AG_RUNTIME_ERROR, AG("memory.grow was refused"));
        region = (uint8_t *)(first << 16);
        region_size = mib << 20;
    }
    __builtin_memset(region, (int)messages, mib << 20);
    return ok(BLANK);
}

static ag_answer do_huge(ag_bytes rest) {
    uint64_t size;
    if (!ag_parse_u64(rest, &size) || size > 0x7fff0000) return usage(AG("huge N"));
    return ag_some(xs(size));
}

static ag_answer do_invalid_answer(ag_bytes rest) {
    static const char *const kinds[] = {"pointer", "length", "result", "option", "error", "utf8"};
    static const uint8_t bad_result[16] = {9};
    static const uint8_t bad_option[16] = {0, 0, 0, 0, 9};
    static const uint8_t bad_error[16] = {1, 0, 0, 0, 99};
    ag_answer answer;
    switch (index_of(rest, kinds, ARRAY_SIZE(kinds))) {
    case 0: return ag_some((ag_bytes){(const uint8_t *)0xfffffff0u, 16});
    case 1: return ag_some((ag_bytes){bad_result, 0xfffffff0u});
    case 2: __builtin_memcpy(&answer, bad_result, 16); return answer;
    case 3: __builtin_memcpy(&answer, bad_option, 16); return answer;
    case 4: __builtin_memcpy(&answer, bad_error, 16); return answer;
    case 5: return ag_fail(AG_RUNTIME_ERROR, AG("\xff\xfe not text"));
    default: return usage(AG("invalid-answer pointer|length|result|option|error|utf8"));
    }
}

/* ---- plain answers ---------------------------------------------------------------------------------------- */

static ag_answer do_echo(ag_bytes rest) { return ag_some(rest); }
static ag_answer do_none(ag_bytes rest) { (void)rest; return ag_none(); }
static ag_answer do_empty(ag_bytes rest) { (void)rest; return ag_some(BLANK); }
static ag_answer do_count(ag_bytes rest) { (void)rest; return ag_some(number(messages)); }
static ag_answer do_callbacks(ag_bytes rest) { (void)rest; return ag_some(number(callbacks)); }
static ag_answer do_pages(ag_bytes rest) { (void)rest; return ag_some(number(__builtin_wasm_memory_size(0))); }
static ag_answer do_env(ag_bytes rest) { (void)rest; return ag_some(environment); }

static ag_answer do_last_callback(ag_bytes rest) {
    (void)rest;
    return ag_some(callbacks ? last_callback : AG("none"));
}

static ag_answer do_err(ag_bytes rest) {
    const int which = index_of(ag_take(&rest, ' '), cases, ARRAY_SIZE(cases));
    if (which < 0 || !ag_is_utf8(rest)) return usage(AG("err CASE TEXT"));
    return ag_fail((enum ag_wasm_error)which, rest);
}

static ag_answer do_health(ag_bytes rest) {
    const int which = index_of(rest, statuses, ARRAY_SIZE(statuses));
    if (which < 0) return usage(AG("health STATUS"));
    health_override = which;
    return ok(BLANK);
}

static void put_metadata(ag_text *out, const ag_message *message) {
    put_maybe(out, AG("content-type"), message->metadata.content_type);
    put_maybe(out, AG("correlation-id"), message->metadata.correlation_id);
    put_line(out, AG("sender"), printed(message->sender));
}

static ag_answer envelope(const ag_message *message) {
    ag_text out = {0}, time = {0};
    put_metadata(&out, message);
    const ag_maybe_id *reply_to = &message->metadata.reply_to;
    put_line(&out, AG("reply-to"), reply_to->some ? printed(reply_to->value) : AG("none"));
    ag_put_u64(&time, message->metadata.timestamp.seconds);
    ag_put_char(&time, ' ');
    ag_put_u64(&time, message->metadata.timestamp.nanoseconds);
    put_line(&out, AG("timestamp"), ag_done_text(&time));
    return ag_some(ag_done_text(&out));
}

/* ---- host-messaging --------------------------------------------------------------------------------------- */

static bool take_id(ag_bytes *rest, ag_id *id) { return ag_parse_id(ag_take(rest, ' '), '|', id); }

static ag_answer shown(ag_messaging_result result) {
    return result.failed ? err(ag_describe_messaging(&result)) : ok(BLANK);
}

static ag_answer do_send(ag_bytes rest) {
    ag_id target;
    return take_id(&rest, &target) ? shown(ag_send(target, rest)) : usage(AG("send ID DATA"));
}

static ag_answer do_send_size(ag_bytes rest) {
    uint64_t size;
    ag_id target;
    if (!ag_parse_u64(ag_take(&rest, ' '), &size) || !take_id(&rest, &target)) return usage(AG("send-size N ID"));
    return shown(ag_send(target, xs(size)));
}

static ag_answer do_send_raw(ag_bytes rest) {
    const ag_id bad_text = {AG("\xff\xfe"), AG("x"), AG("0")};
    const ag_id good = {AG("x"), AG("x"), AG("0")};
    const ag_bytes outside = {(const uint8_t *)0xfffffff0u, 0xfff};
    if (ag_equal(rest, AG("utf8"))) return shown(ag_send(bad_text, BLANK));
    if (ag_equal(rest, AG("pointer"))) return shown(ag_send(good, outside));
    return usage(AG("send-raw utf8|pointer"));
}

static ag_answer do_send_storm(ag_bytes rest) {
    uint64_t rounds, failed[ARRAY_SIZE(sending)] = {0}, sent = 0;
    ag_id target;
    if (!ag_parse_u64(ag_take(&rest, ' '), &rounds) || !take_id(&rest, &target)) return usage(AG("send-storm N ID"));
    for (uint64_t i = 0; i < rounds; i++) {
        const ag_messaging_result result = ag_send(target, AG("storm"));
        if (result.failed) failed[result.error.which]++; else sent++;
    }
    ag_text out = {0};
    ag_put(&out, AG("ok="));
    ag_put_u64(&out, sent);
    for (size_t i = 0; i < ARRAY_SIZE(sending); i++) {
        ag_put_char(&out, ' ');
        ag_put(&out, ag_string(sending[i]));
        ag_put_char(&out, '=');
        ag_put_u64(&out, failed[i]);
    }
    return ag_some(ag_done_text(&out));
}

static bool request(ag_bytes rest, ag_messaging_result *result) {
    uint64_t timeout_ms;
    ag_id target;
    if (!ag_parse_u64(ag_take(&rest, ' '), &timeout_ms) || !take_id(&rest, &target)) return false;
    *result = ag_request(target, rest, timeout_ms);
    return true;
}

static ag_answer do_request(ag_bytes rest) {
    ag_messaging_result result;
    if (!request(rest, &result)) return usage(AG("request MS ID DATA"));
    return result.failed ? shown(result) : ok(result.correlation_id);
}

static ag_answer do_cancel(ag_bytes rest) {
    return ag_is_utf8(rest) ? shown(ag_cancel_request(rest)) : usage(AG("cancel CORRELATION"));
}

static ag_answer request_then_cancel(ag_bytes rest, uint64_t nap_ms) {
    ag_messaging_result made;
    if (!request(rest, &made)) return usage(AG("request-cancel MS ID DATA"));
    if (made.failed) return shown(made);
    if (nap_ms) ag_sleep_millis(nap_ms);
    const ag_messaging_result cancelled = ag_cancel_request(made.correlation_id);
    return cancelled.failed ? shown(cancelled) : ok(made.correlation_id);
}

static ag_answer do_request_cancel(ag_bytes rest) { return request_then_cancel(rest, 0); }

static ag_answer do_late_cancel(ag_bytes rest) {
    uint64_t nap_ms;
    if (!ag_parse_u64(ag_take(&rest, ' '), &nap_ms)) return usage(AG("late-cancel NAP MS ID DATA"));
    return request_then_cancel(rest, nap_ms);
}

static ag_answer do_broadcast(ag_bytes rest) {
    static ag_id targets[64];
    size_t size = 0;
    ag_bytes ids = ag_take(&rest, ' ');
    while (ids.size) {
        if (size == ARRAY_SIZE(targets) || !ag_parse_id(ag_take(&ids, ','), '|', &targets[size++]))
            return usage(AG("broadcast ID,ID,... DATA, up to 64"));
    }
    return shown(ag_broadcast((ag_ids){targets, size}, rest));
}

static ag_answer do_self_id(ag_bytes rest) { (void)rest; return ag_some(printed(ag_self_id())); }

/* ---- host-services ---------------------------------------------------------------------------------------- */

static ag_answer do_log(ag_bytes rest) {
    const int level = index_of(ag_take(&rest, ' '), levels, ARRAY_SIZE(levels));
    if (level < 0 || !ag_is_utf8(rest)) return usage(AG("log LEVEL TEXT"));
    ag_log((enum ag_level)level, rest);
    return ok(BLANK);
}

static ag_answer do_log_with(ag_bytes rest) {
    static ag_pair context[64];
    size_t size = 0;
    const int level = index_of(ag_take(&rest, ' '), levels, ARRAY_SIZE(levels));
    if (level < 0 || !ag_is_utf8(rest)) return usage(AG("log-with LEVEL K=V,K=V TEXT"));
    for (ag_bytes pairs = ag_take(&rest, ' '); pairs.size && size < ARRAY_SIZE(context); size++) {
        ag_bytes pair = ag_take(&pairs, ',');
        context[size].name = ag_take(&pair, '=');
        context[size].value = pair;
    }
    ag_log_with((enum ag_level)level, rest, (ag_pairs){context, size});
    return ok(BLANK);
}

static ag_answer do_log_flood(ag_bytes rest) {
    uint64_t rounds, size = 0;
    if (!ag_parse_u64(ag_take(&rest, ' '), &rounds) || (rest.size && !ag_parse_u64(rest, &size)))
        return usage(AG("log-flood N [SIZE]"));
    const ag_bytes line = size ? xs(size) : AG("flood");
    for (uint64_t i = 0; i < rounds; i++) ag_log(AG_INFO, line);
    return ok(BLANK);
}

static ag_answer do_sleep(ag_bytes rest) {
    uint64_t duration_ms;
    if (!ag_parse_u64(rest, &duration_ms)) return usage(AG("sleep MS"));
    ag_sleep_millis(duration_ms);
    return ok(BLANK);
}

static ag_answer do_sleep_loop(ag_bytes rest) {
    uint64_t duration_ms;
    if (!ag_parse_u64(rest, &duration_ms)) return usage(AG("sleep-loop MS"));
    for (;;) ag_sleep_millis(duration_ms);
}

static ag_answer do_time(ag_bytes rest) {
    (void)rest;
    const ag_time now = ag_current_time();
    ag_text out = {0};
    ag_put_u64(&out, now.seconds);
    ag_put_char(&out, ' ');
    ag_put_u64(&out, now.nanoseconds);
    return ag_some(ag_done_text(&out));
}

static ag_answer do_millis(ag_bytes rest) { (void)rest; return ag_some(number(ag_current_time_millis())); }

static ag_answer do_list(ag_bytes rest) {
    (void)rest;
    const ag_ids ids = ag_list_components();
    ag_text out = {0};
    for (size_t i = 0; i < ids.size; i++) {
        if (i) ag_put_char(&out, '\n');
        ag_put_id(&out, ids.items[i], '/');
    }
    return ag_some(ag_done_text(&out));
}

static ag_answer do_meta(ag_bytes rest) {
    ag_id id;
    if (!take_id(&rest, &id)) return usage(AG("meta ID"));
    const ag_info_result result = ag_component_metadata(id);
    if (result.failed) return err(ag_describe_component(&result.error));
    ag_text out = {0};
    ag_put_id(&out, result.ok.id, '/');
    const ag_bytes fields[] = {result.ok.name, result.ok.version, result.ok.health};
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        ag_put_char(&out, ' ');
        ag_put(&out, fields[i]);
    }
    return ok(ag_done_text(&out));
}

/* ---- storage ---------------------------------------------------------------------------------------------- */

static ag_answer stored(ag_outcome outcome) {
    return outcome.failed ? err(ag_describe_storage(&outcome.error)) : ok(BLANK);
}

static ag_answer do_storage_get(ag_bytes rest) {
    if (!ag_is_utf8(rest)) return usage(AG("storage-get K"));
    const ag_get_result result = ag_storage_get(rest);
    if (result.failed) return err(ag_describe_storage(&result.error));
    if (!result.ok.some) return ok(AG("none"));
    ag_text out = {0};
    ag_put(&out, AG("some "));
    ag_put(&out, result.ok.value);
    return ok(ag_done_text(&out));
}

static ag_answer do_storage_set(ag_bytes rest) {
    const ag_bytes key = ag_take(&rest, ' ');
    return ag_is_utf8(key) ? stored(ag_storage_set(key, rest)) : usage(AG("storage-set K V"));
}

static ag_answer do_storage_fill(ag_bytes rest) {
    uint64_t size;
    const ag_bytes key = ag_take(&rest, ' ');
    if (!ag_is_utf8(key) || !ag_parse_u64(rest, &size)) return usage(AG("storage-fill K N"));
    return stored(ag_storage_set(key, xs(size)));
}

static ag_answer do_storage_delete(ag_bytes rest) {
    return ag_is_utf8(rest) ? stored(ag_storage_delete(rest)) : usage(AG("storage-delete K"));
}

static ag_answer do_storage_exists(ag_bytes rest) {
    if (!ag_is_utf8(rest)) return usage(AG("storage-exists K"));
    const ag_exists_result result = ag_storage_exists(rest);
    if (result.failed) return err(ag_describe_storage(&result.error));
    return ok(result.ok ? AG("true") : AG("false"));
}

static ag_answer do_storage_list(ag_bytes rest) {
    if (!ag_is_utf8(rest)) return usage(AG("storage-list [PREFIX]"));
    const ag_keys_result result = ag_storage_list_keys((ag_maybe_bytes){rest.size > 0, rest});
    if (result.failed) return err(ag_describe_storage(&result.error));
    ag_text out = {0};
    ag_put(&out, AG("ok"));
    for (size_t i = 0; i < result.ok.size; i++) {
        ag_put_char(&out, '\n');
        ag_put(&out, result.ok.items[i]);
    }
    return ag_some(ag_done_text(&out));
}

static ag_answer do_storage_usage(ag_bytes rest) {
    (void)rest;
    const ag_usage_result result = ag_storage_usage_now();
    if (result.failed) return err(ag_describe_storage(&result.error));
    ag_text out = {0};
    ag_put_u64(&out, result.ok.used_bytes);
    ag_put_char(&out, ' ');
    ag_put_u64(&out, result.ok.quota_bytes);
    ag_put_char(&out, ' ');
    ag_put_u64(&out, result.ok.key_count);
    return ok(ag_done_text(&out));
}

/* ---- the six exports -------------------------------------------------------------------------------------- */

static const struct { const char *word; ag_answer (*run)(ag_bytes rest); } commands[] = {
    {"echo", do_echo}, {"none", do_none}, {"empty", do_empty}, {"err", do_err}, {"huge", do_huge},
    {"count", do_count}, {"pages", do_pages}, {"env", do_env}, {"last-callback", do_last_callback},
    {"callbacks", do_callbacks}, {"health", do_health},
    {"loop", do_loop}, {"spin", do_spin}, {"trap", do_trap}, {"divzero", do_divzero}, {"oob", do_oob},
    {"stack-overflow", do_stack_overflow}, {"shadow-overflow", do_shadow_overflow},
    {"memory-bomb", do_memory_bomb}, {"fill", do_fill}, {"invalid-answer", do_invalid_answer},
    {"log-flood", do_log_flood}, {"send-storm", do_send_storm}, {"sleep", do_sleep}, {"sleep-loop", do_sleep_loop},
    {"send", do_send}, {"send-size", do_send_size}, {"send-raw", do_send_raw}, {"request", do_request},
    {"cancel", do_cancel}, {"request-cancel", do_request_cancel}, {"late-cancel", do_late_cancel}, {"broadcast", do_broadcast},
    {"self-id", do_self_id}, {"log", do_log}, {"log-with", do_log_with}, {"time", do_time}, {"millis", do_millis},
    {"list", do_list}, {"meta", do_meta},
    {"storage-get", do_storage_get}, {"storage-set", do_storage_set}, {"storage-fill", do_storage_fill},
    {"storage-delete", do_storage_delete}, {"storage-exists", do_storage_exists},
    {"storage-list", do_storage_list}, {"storage-usage", do_storage_usage},
};

ag_answer guest_handle_message(const ag_message *message) {
    messages++;
    ag_bytes rest = message->payload;
    const ag_bytes word = ag_take(&rest, ' ');
    if (ag_equal(word, AG("envelope"))) return envelope(message);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (ag_equal(word, ag_string(commands[i].word))) return commands[i].run(rest);
    return usage(AG("a word of the table in hostile.c"));
}

/* err of the case that the first word names, with the rest as its text. */
static ag_outcome refused(ag_bytes rest, const char *const *names, size_t size) {
    const int which = index_of(ag_take(&rest, ' '), names, size);
    if (which < 0 || !ag_is_utf8(rest)) __builtin_trap();
    return ag_refuse((uint8_t)which, rest);
}

ag_outcome guest_handle_callback(const ag_message *message) {
    callbacks++;
    ag_text out = {0};
    put_metadata(&out, message);
    ag_put(&out, AG("\npayload\n"));
    ag_put(&out, message->payload);
    ag_free((void *)last_callback.data);
    last_callback = keep(ag_done_text(&out));
    ag_bytes rest = message->payload;
    const ag_bytes word = ag_take(&rest, ' ');
    if (ag_equal(word, AG("trap"))) __builtin_trap();
    if (ag_equal(word, AG("loop"))) loop();
    if (ag_equal(word, AG("err"))) return ag_refuse(AG_RUNTIME_ERROR, ag_is_utf8(rest) ? rest : BLANK);
    if (ag_equal(word, AG("refuse"))) return refused(rest, cases, ARRAY_SIZE(cases));
    return ag_done();
}

/* Finds the directive that begins with the word; what follows the word goes to `rest`. */
static bool directed(ag_bytes word, ag_bytes *rest) {
    for (ag_bytes lines = directives; lines.size;) {
        *rest = ag_take(&lines, '\n');
        if (ag_equal(ag_take(rest, ' '), word)) return true;
    }
    return false;
}

static void misbehave(ag_bytes trap, ag_bytes endless, ag_bytes nap) {
    ag_bytes rest;
    uint64_t duration_ms;
    if (directed(trap, &rest)) __builtin_trap();
    if (directed(endless, &rest)) loop();
    if (directed(nap, &rest) && ag_parse_u64(rest, &duration_ms)) ag_sleep_millis(duration_ms);
}

static void remember(const ag_config *config) {
    ag_text out = {0};
    for (size_t i = 0; i < config->env.size; i++) {
        put_line(&out, AG("env"), config->env.items[i].name);
        ag_put_char(&out, '=');
        ag_put(&out, config->env.items[i].value);
    }
    put_maybe(&out, AG("config"), config->data);
    put_line(&out, AG("max-memory-bytes"), number(config->max_memory_bytes));
    put_line(&out, AG("max-execution-time-ms"), number(config->max_execution_time_ms));
    put_line(&out, AG("max-fuel"), config->has_max_fuel ? number(config->max_fuel) : AG("none"));
    environment = keep(ag_done_text(&out));
    if (config->data.some) directives = keep(config->data.value);
}

ag_outcome guest_initialize(const ag_config *config) {
    ag_bytes rest;
    remember(config);
    if (directed(AG("init-log"), &rest)) ag_log(AG_INFO, rest);
    misbehave(AG("init-trap"), AG("init-loop"), AG("init-sleep"));
    if (directed(AG("init-trap-if"), &rest)) {
        const ag_exists_result exists = ag_storage_exists(rest);
        if (!exists.failed && exists.ok) __builtin_trap();
    }
    if (directed(AG("init-err"), &rest)) return ag_refuse(AG_INITIALIZATION_FAILED, rest);
    if (directed(AG("init-refuse"), &rest)) return refused(rest, refusals, ARRAY_SIZE(refusals));
    return ag_done();
}

ag_outcome guest_shutdown(void) {
    ag_bytes rest;
    if (directed(AG("shutdown-log"), &rest)) ag_log(AG_INFO, rest);
    if (directed(AG("shutdown-store"), &rest)) ag_storage_set(rest, AG("stopped"));
    misbehave(AG("shutdown-trap"), AG("shutdown-loop"), AG("shutdown-sleep"));
    if (directed(AG("shutdown-err"), &rest)) return ag_refuse(AG_SHUTDOWN_FAILED, rest);
    if (directed(AG("shutdown-refuse"), &rest)) return refused(rest, refusals, ARRAY_SIZE(refusals));
    return ag_done();
}

enum ag_health guest_health(void) {
    ag_bytes rest;
    misbehave(AG("health-trap"), AG("health-loop"), AG("health-sleep"));
    if (health_override >= 0) return (enum ag_health)health_override;
    if (directed(AG("health-degraded"), &rest)) return AG_DEGRADED;
    if (directed(AG("health-unhealthy"), &rest)) return AG_UNHEALTHY;
    if (directed(AG("health-unknown"), &rest)) return AG_UNKNOWN;
    return AG_HEALTHY;
}

ag_metadata guest_metadata(void) {
    static const ag_bytes operations[] = {AG("flush")};
    ag_bytes rest;
    if (directed(AG("metadata-log"), &rest)) ag_log(AG_INFO, rest);
    misbehave(AG("metadata-trap"), AG("metadata-loop"), AG("metadata-sleep"));
    return (ag_metadata){
        .name = AG("hostile"),
        .version = AG("1.0.0"),
        .description = AG("Misbehaves on demand"),
        .author = AG("airssys"),
        .license = AG("Apache-2.0"),
        .supported_operations = {operations, directed(AG("metadata-flush"), &rest)},
        .stateful = !directed(AG("metadata-stateless"), &rest),
    };
}
