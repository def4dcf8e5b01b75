/* Ignores its input and answers "1", "2", "3", ...; a restart begins at "1" again. */
#include "airssys_guest.h"

static uint64_t count;

ag_answer guest_handle_message(const ag_message *message) {
    (void)message;
    ag_text text = {0};
    ag_put_u64(&text, ++count);
    return ag_some(ag_done_text(&text));
}

ag_metadata guest_metadata(void) {
    return (ag_metadata){
        .name = AG("counter"),
        .version = AG("1.0.0"),
        .description = AG("Counts its messages"),
        .author = AG("airssys"),
        .license = AG("Apache-2.0"),
        .stateful = true,
    };
}
