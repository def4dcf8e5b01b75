/* Counts its messages and says of each which version handled it: "1 17". The count goes from version to version:
 * asked to save its state it answers it, given one it goes on from there. The payload `trap` traps.
 */
#include "airssys_guest.h"

static uint64_t count;

static bool asked_for(const ag_message *message, ag_bytes type) {
    return message->metadata.content_type.some && ag_equal(message->metadata.content_type.value, type);
}

static ag_answer counted(ag_bytes before) {
    ag_text text = {0};
    ag_put(&text, before);
    ag_put_u64(&text, count);
    return ag_some(ag_done_text(&text));
}

ag_answer guest_handle_message(const ag_message *message) {
    if (asked_for(message, AG("application/x.airssys.save-state"))) return counted(AG(""));
    if (asked_for(message, AG("application/x.airssys.load-state"))) {
        if (ag_parse_u64(message->payload, &count)) return ag_none();
        return ag_fail(AG_RUNTIME_ERROR, AG("no count"));
    }
    if (ag_equal(message->payload, AG("trap"))) __builtin_trap();
    ++count;
    return counted(AG(VERSION " "));
}

ag_metadata guest_metadata(void) {
    static const ag_bytes operations[] = {AG("save-state"), AG("load-state")};
    return (ag_metadata){
        .name = AG("state"),
        .version = AG(VERSION),
        .description = AG("Counts from version to version"),
        .author = AG("airssys"),
        .license = AG("Apache-2.0"),
        .supported_operations = {operations, 2},
        .stateful = true,
    };
}
