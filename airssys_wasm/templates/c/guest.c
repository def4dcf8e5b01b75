/* {{name}}: greets whoever wrote, and counts. `airssys-wasm build` makes {{name}}.wasm of this file. */
#include "airssys_guest.h"

static uint64_t greeted; /* a restart begins at 0 again; use ag_storage_set for what must last */

ag_answer guest_handle_message(const ag_message *message) {
    if (message->payload.size == 0) return ag_fail(AG_RUNTIME_ERROR, AG("nobody to greet"));
    ag_text text = {0};
    ag_put(&text, AG("Hello, "));
    ag_put(&text, message->payload);
    ag_put(&text, AG("! You are number "));
    ag_put_u64(&text, ++greeted);
    ag_put_char(&text, '.');
    return ag_some(ag_done_text(&text));
}

ag_metadata guest_metadata(void) {
    return (ag_metadata){
        .name = AG("{{name}}"),
        .version = AG("0.1.0"),
        .description = AG("Greets by name"),
        .stateful = true,
    };
}
