/* Write an `airssys:core@1.0.0` component in plain C, without a libc and without generated code.
 *
 * Copy this header, airssys_guest.c and airssys_memory.c beside your own file, define guest_handle_message and
 * guest_metadata (the other four have defaults), and build as the README of the examples shows. Only the host
 * functions that you call become imports of the component.
 *
 * The structs below have the very layout that the canonical ABI prescribes for the WIT types, so nothing is
 * copied on the way in or out; airssys_guest.c asserts their sizes.
 *
 * Memory: what you receive, and what ag_scratch and ag_text give you, lives until the current call has been
 * answered, then all of it is released at once. Keep what must outlive the call in memory from ag_alloc.
 */
#ifndef AIRSSYS_GUEST_H
#define AIRSSYS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- values ---------------------------------------------------------------------------------------------- */

/* A string (always valid UTF-8, not terminated by a zero) or a list<u8>. */
typedef struct { const uint8_t *data; size_t size; } ag_bytes;
typedef struct { bool some; ag_bytes value; } ag_maybe_bytes;

typedef struct { ag_bytes space, name, instance; } ag_id;
typedef struct { bool some; ag_id value; } ag_maybe_id;
typedef struct { const ag_id *items; size_t size; } ag_ids;

typedef struct { ag_bytes name, value; } ag_pair;
typedef struct { const ag_pair *items; size_t size; } ag_pairs;
typedef struct { const ag_bytes *items; size_t size; } ag_strings;

typedef struct { uint64_t seconds; uint32_t nanoseconds; } ag_time;

typedef struct {
    ag_id sender;
    ag_bytes payload;
    struct {
        ag_maybe_bytes correlation_id;
        ag_maybe_id reply_to;
        ag_time timestamp;
        ag_maybe_bytes content_type;
    } metadata;
} ag_message;

typedef struct {
    ag_pairs env;
    ag_maybe_bytes data;
    uint64_t max_memory_bytes, max_execution_time_ms;
    bool has_max_fuel;
    uint64_t max_fuel;
} ag_config;

typedef struct {
    ag_bytes name, version, description, author, license;
    ag_strings supported_operations;
    bool stateful;
} ag_metadata;

/* ---- results ---------------------------------------------------------------------------------------------- */

/* The cases count as in errors.wit. A case without a text ignores it. */
enum ag_wasm_error {
    AG_COMPONENT_NOT_FOUND, AG_INSTANTIATION_FAILED, AG_EXPORT_NOT_FOUND, AG_TIMEOUT,
    AG_RESOURCE_LIMIT_EXCEEDED, AG_INVALID_COMPONENT, AG_RUNTIME_ERROR,
};
enum ag_component_error {
    AG_INITIALIZATION_FAILED, AG_ALREADY_INITIALIZED, AG_NOT_INITIALIZED, AG_SHUTDOWN_FAILED, AG_INVALID_STATE,
};
enum ag_messaging_error {
    AG_DELIVERY_FAILED, AG_CORRELATION_TIMEOUT, AG_INVALID_MESSAGE, AG_QUEUE_FULL, AG_TARGET_NOT_FOUND,
};
enum ag_storage_error { AG_NOT_FOUND, AG_ALREADY_EXISTS, AG_QUOTA_EXCEEDED, AG_INVALID_KEY, AG_IO_ERROR };
enum ag_health { AG_HEALTHY, AG_DEGRADED, AG_UNHEALTHY, AG_UNKNOWN };
enum ag_level { AG_TRACE, AG_DEBUG, AG_INFO, AG_WARN, AG_ERROR };

/* Any error whose cases carry a text or nothing. */
typedef struct { uint8_t which; ag_bytes text; } ag_error;

/* What guest_handle_message returns: build it with ag_some, ag_none or ag_fail. */
typedef struct { bool failed; union { ag_maybe_bytes ok; ag_error error; }; } ag_answer;

/* What the other guest functions and some host functions return: ag_done or ag_refuse. */
typedef struct { bool failed; ag_error error; } ag_outcome;

typedef struct {
    bool failed;
    union {
        ag_bytes correlation_id; /* of ag_request */
        struct { uint8_t which; union { ag_bytes text; ag_id target; }; } error;
    };
} ag_messaging_result;

typedef struct { ag_id id; ag_bytes name, version, health; } ag_component_info;
typedef struct { bool failed; union { ag_component_info ok; ag_error error; }; } ag_info_result;

typedef struct { uint64_t used_bytes, quota_bytes, key_count; } ag_storage_usage;
typedef struct { bool failed; union { ag_maybe_bytes ok; ag_error error; }; } ag_get_result;
typedef struct { bool failed; union { bool ok; ag_error error; }; } ag_exists_result;
typedef struct { bool failed; union { ag_strings ok; ag_error error; }; } ag_keys_result;
typedef struct { bool failed; union { ag_storage_usage ok; ag_error error; }; } ag_usage_result;

ag_answer ag_some(ag_bytes payload);
ag_answer ag_none(void);
ag_answer ag_fail(enum ag_wasm_error which, ag_bytes text);
ag_outcome ag_done(void);
ag_outcome ag_refuse(uint8_t which, ag_bytes text); /* an ag_wasm_error in a callback, else an ag_component_error */

/* ---- what you define ------------------------------------------------------------------------------------- */

ag_answer guest_handle_message(const ag_message *message);
ag_metadata guest_metadata(void);

/* These four have defaults: ok, ok, healthy, ok. */
ag_outcome guest_initialize(const ag_config *config);
ag_outcome guest_handle_callback(const ag_message *message);
enum ag_health guest_health(void);
ag_outcome guest_shutdown(void);

/* ---- what the host does for you -------------------------------------------------------------------------- */

ag_messaging_result ag_send(ag_id target, ag_bytes payload);
ag_messaging_result ag_request(ag_id target, ag_bytes payload, uint64_t timeout_ms);
ag_messaging_result ag_cancel_request(ag_bytes request_id);
ag_messaging_result ag_broadcast(ag_ids targets, ag_bytes payload);
ag_id ag_self_id(void);

void ag_log(enum ag_level level, ag_bytes message);
void ag_log_with(enum ag_level level, ag_bytes message, ag_pairs context);
ag_time ag_current_time(void);
uint64_t ag_current_time_millis(void);
void ag_sleep_millis(uint64_t duration_ms);
ag_ids ag_list_components(void);
ag_info_result ag_component_metadata(ag_id id);

ag_get_result ag_storage_get(ag_bytes key);
ag_outcome ag_storage_set(ag_bytes key, ag_bytes value);
ag_outcome ag_storage_delete(ag_bytes key);
ag_exists_result ag_storage_exists(ag_bytes key);
ag_keys_result ag_storage_list_keys(ag_maybe_bytes prefix);
ag_usage_result ag_storage_usage_now(void);

/* ---- memory and text (airssys_memory.c) ------------------------------------------------------------------ */

void *ag_alloc(size_t size);    /* yours until ag_free; NULL when there is no more */
void ag_free(void *memory);     /* NULL is fine */
void *ag_scratch(size_t size);  /* released after the call; traps when there is no more */
void ag_scratch_release(void);  /* the glue calls this; you need not */

/* Bytes of a string literal. */
#define AG(literal) ((ag_bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

ag_bytes ag_string(const char *zero_terminated);
bool ag_equal(ag_bytes a, ag_bytes b);
bool ag_starts_with(ag_bytes text, ag_bytes prefix);
bool ag_is_utf8(ag_bytes text); /* whatever you hand over as a string must be, or the call traps */

/* Takes what stands before the first separator off `rest`; the whole rest when there is none. */
ag_bytes ag_take(ag_bytes *rest, char separator);
bool ag_parse_u64(ag_bytes digits, uint64_t *value);
bool ag_parse_id(ag_bytes text, char separator, ag_id *id); /* three parts, valid UTF-8 */

/* A text that grows in scratch memory; start with {0}. */
typedef struct { uint8_t *data; size_t size, room; } ag_text;
void ag_put(ag_text *text, ag_bytes bytes);
void ag_put_char(ag_text *text, char c);
void ag_put_u64(ag_text *text, uint64_t value);
void ag_put_id(ag_text *text, ag_id id, char separator);
ag_bytes ag_done_text(const ag_text *text);

/* "case: text" of an error, as in errors.wit. */
ag_bytes ag_describe_messaging(const ag_messaging_result *result);
ag_bytes ag_describe_storage(const ag_error *error);
ag_bytes ag_describe_component(const ag_error *error);

#endif
