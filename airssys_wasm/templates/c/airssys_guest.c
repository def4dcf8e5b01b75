/* The glue between airssys_guest.h and the canonical ABI: exported names, imported names, flat parameters.
 *
 * The rules are those of the Component Model's CanonicalABI.md: parameters of up to 16 flat values are passed flat,
 * more in memory by one pointer; a result of more than one flat value goes through memory, by the pointer that an
 * export returns, or that the caller of an import gives as its last parameter.
 */
#include "airssys_guest.h"

#define LIFECYCLE "airssys:core/component-lifecycle@1.0.0#"
#define EXPORT(name) __attribute__((export_name(LIFECYCLE name)))
#define POST_RETURN(name) __attribute__((export_name("cabi_post_" LIFECYCLE name)))

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
SIZE(ag_bytes, 8);
SIZE(ag_maybe_bytes, 12);
SIZE(ag_id, 24);
SIZE(ag_maybe_id, 28);
SIZE(ag_time, 16);
SIZE(ag_message, 104);
SIZE(ag_metadata, 52);
SIZE(ag_error, 12);
SIZE(ag_answer, 16);
SIZE(ag_outcome, 16);
SIZE(ag_messaging_result, 32);
SIZE(ag_info_result, 52);
SIZE(ag_get_result, 16);
SIZE(ag_exists_result, 16);
SIZE(ag_keys_result, 16);
SIZE(ag_usage_result, 32);

/* ---- answers ---------------------------------------------------------------------------------------------- */

ag_answer ag_some(ag_bytes payload) { return (ag_answer){.ok = {true, payload}}; }
ag_answer ag_none(void) { return (ag_answer){.ok = {false, {0, 0}}}; }
ag_answer ag_fail(enum ag_wasm_error which, ag_bytes text) { return (ag_answer){true, .error = {which, text}}; }
ag_outcome ag_done(void) { return (ag_outcome){false, {0, {0, 0}}}; }
ag_outcome ag_refuse(uint8_t which, ag_bytes text) { return (ag_outcome){true, {which, text}}; }

/* ---- defaults --------------------------------------------------------------------------------------------- */

#define DEFAULT __attribute__((weak))
DEFAULT ag_outcome guest_initialize(const ag_config *config) { (void)config; return ag_done(); }
DEFAULT ag_outcome guest_handle_callback(const ag_message *message) { (void)message; return ag_done(); }
DEFAULT enum ag_health guest_health(void) { return AG_HEALTHY; }
DEFAULT ag_outcome guest_shutdown(void) { return ag_done(); }

/* ---- exports ---------------------------------------------------------------------------------------------- */

/* Only one call runs at a time, and the host has read a result before the next call begins. */
static ag_answer answer;
static ag_outcome outcome;
static ag_metadata metadata;

EXPORT("initialize")
const ag_outcome *export_initialize(const ag_pair *env, size_t env_size, int32_t has_data, const uint8_t *data,
                                    size_t data_size, uint64_t max_memory_bytes, uint64_t max_execution_time_ms,
                                    int32_t has_max_fuel, uint64_t max_fuel) {
    const ag_config config = {
        .env = {env, env_size},
        .data = {has_data, {data, data_size}},
        .max_memory_bytes = max_memory_bytes,
        .max_execution_time_ms = max_execution_time_ms,
        .has_max_fuel = has_max_fuel,
        .max_fuel = max_fuel,
    };
    outcome = guest_initialize(&config);
    return &outcome;
}

EXPORT("handle-message") const ag_answer *export_handle_message(const ag_message *message) {
    answer = guest_handle_message(message);
    return &answer;
}

EXPORT("handle-callback") const ag_outcome *export_handle_callback(const ag_message *message) {
    outcome = guest_handle_callback(message);
    return &outcome;
}

EXPORT("metadata") const ag_metadata *export_metadata(void) {
    metadata = guest_metadata();
    return &metadata;
}

EXPORT("health") int32_t export_health(void) {
    const enum ag_health health = guest_health();
    ag_scratch_release();
    return health;
}

EXPORT("shutdown") const ag_outcome *export_shutdown(void) {
    outcome = guest_shutdown();
    return &outcome;
}

POST_RETURN("initialize") void post_initialize(const void *result) { (void)result; ag_scratch_release(); }
POST_RETURN("handle-message") void post_handle_message(const void *result) { (void)result; ag_scratch_release(); }
POST_RETURN("handle-callback") void post_handle_callback(const void *result) { (void)result; ag_scratch_release(); }
POST_RETURN("metadata") void post_metadata(const void *result) { (void)result; ag_scratch_release(); }
POST_RETURN("shutdown") void post_shutdown(const void *result) { (void)result; ag_scratch_release(); }

/* ---- imports ---------------------------------------------------------------------------------------------- */

#define IMPORT(interface, name) \
    __attribute__((import_module("airssys:core/" interface "@1.0.0"), import_name(name))) extern
#define BYTES const uint8_t *, size_t
#define ID BYTES, BYTES, BYTES
#define FLAT(bytes) (bytes).data, (bytes).size
#define FLAT_ID(id) FLAT((id).space), FLAT((id).name), FLAT((id).instance)

IMPORT("host-messaging", "send") void import_send(ID, BYTES, ag_messaging_result *);
IMPORT("host-messaging", "request") void import_request(ID, BYTES, uint64_t, ag_messaging_result *);
IMPORT("host-messaging", "cancel-request") void import_cancel_request(BYTES, ag_messaging_result *);
IMPORT("host-messaging", "broadcast") void import_broadcast(const ag_id *, size_t, BYTES, ag_messaging_result *);
IMPORT("host-messaging", "self-id") void import_self_id(ag_id *);
IMPORT("host-services", "log") void import_log(int32_t, BYTES, int32_t, const ag_pair *, size_t);
IMPORT("host-services", "current-time") void import_current_time(ag_time *);
IMPORT("host-services", "current-time-millis") uint64_t import_current_time_millis(void);
IMPORT("host-services", "sleep-millis") void import_sleep_millis(uint64_t);
IMPORT("host-services", "list-components") void import_list_components(ag_ids *);
IMPORT("host-services", "get-component-metadata") void import_component_metadata(ID, ag_info_result *);
IMPORT("storage", "get") void import_get(BYTES, ag_get_result *);
IMPORT("storage", "set") void import_set(BYTES, BYTES, ag_outcome *);
IMPORT("storage", "delete") void import_delete(BYTES, ag_outcome *);
IMPORT("storage", "exists") void import_exists(BYTES, ag_exists_result *);
IMPORT("storage", "list-keys") void import_list_keys(int32_t, BYTES, ag_keys_result *);
IMPORT("storage", "usage") void import_usage(ag_usage_result *);

/* The body of a wrapper whose import writes its result through a last pointer. */
#define RESULT(type, call, ...) { type result; call(__VA_ARGS__, &result); return result; }

ag_messaging_result ag_send(ag_id target, ag_bytes payload)
    RESULT(ag_messaging_result, import_send, FLAT_ID(target), FLAT(payload))
ag_messaging_result ag_request(ag_id target, ag_bytes payload, uint64_t timeout_ms)
    RESULT(ag_messaging_result, import_request, FLAT_ID(target), FLAT(payload), timeout_ms)
ag_messaging_result ag_cancel_request(ag_bytes request_id)
    RESULT(ag_messaging_result, import_cancel_request, FLAT(request_id))
ag_messaging_result ag_broadcast(ag_ids targets, ag_bytes payload)
    RESULT(ag_messaging_result, import_broadcast, targets.items, targets.size, FLAT(payload))
ag_id ag_self_id(void) { ag_id id; import_self_id(&id); return id; }

void ag_log(enum ag_level level, ag_bytes message) { import_log(level, FLAT(message), 0, 0, 0); }
void ag_log_with(enum ag_level level, ag_bytes message, ag_pairs context) {
    import_log(level, FLAT(message), 1, context.items, context.size);
}
ag_time ag_current_time(void) { ag_time time; import_current_time(&time); return time; }
uint64_t ag_current_time_millis(void) { return import_current_time_millis(); }
void ag_sleep_millis(uint64_t duration_ms) { import_sleep_millis(duration_ms); }
ag_ids ag_list_components(void) { ag_ids ids; import_list_components(&ids); return ids; }
ag_info_result ag_component_metadata(ag_id id) RESULT(ag_info_result, import_component_metadata, FLAT_ID(id))

ag_get_result ag_storage_get(ag_bytes key) RESULT(ag_get_result, import_get, FLAT(key))
ag_outcome ag_storage_set(ag_bytes key, ag_bytes value) RESULT(ag_outcome, import_set, FLAT(key), FLAT(value))
ag_outcome ag_storage_delete(ag_bytes key) RESULT(ag_outcome, import_delete, FLAT(key))
ag_exists_result ag_storage_exists(ag_bytes key) RESULT(ag_exists_result, import_exists, FLAT(key))
ag_keys_result ag_storage_list_keys(ag_maybe_bytes prefix)
    RESULT(ag_keys_result, import_list_keys, prefix.some, FLAT(prefix.value))
ag_usage_result ag_storage_usage_now(void) { ag_usage_result result; import_usage(&result); return result; }

/* ---- errors in words -------------------------------------------------------------------------------------- */

static ag_bytes describe(const char *name, bool has_text, ag_bytes text) {
    ag_text out = {0};
    ag_put(&out, ag_string(name));
    if (has_text) {
        ag_put(&out, AG(": "));
        ag_put(&out, text);
    }
    return ag_done_text(&out);
}

ag_bytes ag_describe_messaging(const ag_messaging_result *result) {
    static const char *const names[] = {
        "delivery-failed", "correlation-timeout", "invalid-message", "queue-full", "target-not-found"};
    if (result->error.which != AG_TARGET_NOT_FOUND)
        return describe(names[result->error.which], result->error.which != AG_QUEUE_FULL, result->error.text);
    ag_text id = {0};
    ag_put_id(&id, result->error.target, '/');
    return describe(names[AG_TARGET_NOT_FOUND], true, ag_done_text(&id));
}

ag_bytes ag_describe_storage(const ag_error *error) {
    static const char *const names[] = {"not-found", "already-exists", "quota-exceeded", "invalid-key", "io-error"};
    return describe(names[error->which], error->which != AG_QUOTA_EXCEEDED, error->text);
}

ag_bytes ag_describe_component(const ag_error *error) {
    static const char *const names[] = {
        "initialization-failed", "already-initialized", "not-initialized", "shutdown-failed", "invalid-state"};
    const bool bare = error->which == AG_ALREADY_INITIALIZED || error->which == AG_NOT_INITIALIZED;
    return describe(names[error->which], !bare, error->text);
}
