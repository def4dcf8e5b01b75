/* Answers every payload unchanged, the empty one included. Imports nothing. */
#include "airssys_guest.h"

ag_answer guest_handle_message(const ag_message *message) { return ag_some(message->payload); }

ag_metadata guest_metadata(void) {
    return (ag_metadata){
        .name = AG("echo"),
        .version = AG("1.0.0"),
        .description = AG("Answers every payload unchanged"),
        .author = AG("airssys"),
        .license = AG("Apache-2.0"),
    };
}
