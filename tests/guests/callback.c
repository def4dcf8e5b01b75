/* Makes a request on the sender's behalf: `namespace|name|instance|data`, where only data may contain `|`.
 *
 * Answers the correlation id. What comes back to handle-callback is accepted and forgotten.
 */
#include "airssys_guest.h"

#define TIMEOUT_MS 5000

static bool parse(ag_bytes rest, ag_id *target, ag_bytes *data) {
    size_t separators = 0;
    for (size_t i = 0; i < rest.size; i++) separators += rest.data[i] == '|';
    if (separators < 3) return false;
    target->space = ag_take(&rest, '|');
    target->name = ag_take(&rest, '|');
    target->instance = ag_take(&rest, '|');
    *data = rest;
    return ag_is_utf8(target->space) && ag_is_utf8(target->name) && ag_is_utf8(target->instance);
}

ag_answer guest_handle_message(const ag_message *message) {
    ag_id target;
    ag_bytes data;
    if (!parse(message->payload, &target, &data))
        return ag_fail(AG_RUNTIME_ERROR, AG("invalid payload format: expected namespace|name|instance|data"));
    const ag_messaging_result result = ag_request(target, data, TIMEOUT_MS);
    if (!result.failed) return ag_some(result.correlation_id);
    ag_text text = {0};
    ag_put(&text, AG("request failed: "));
    ag_put(&text, ag_describe_messaging(&result));
    return ag_fail(AG_RUNTIME_ERROR, ag_done_text(&text));
}

ag_metadata guest_metadata(void) {
    return (ag_metadata){
        .name = AG("callback"),
        .version = AG("1.0.0"),
        .description = AG("Makes requests and takes their callbacks"),
        .author = AG("airssys"),
        .license = AG("Apache-2.0"),
    };
}
