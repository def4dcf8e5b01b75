/* Uses WASI 0.2: writes to its streams and blocks its thread.
 *
 * | payload     | what happens                                        |
 * |-------------|-----------------------------------------------------|
 * | sleep MS    | blocks in wasi:io/poll for so long; answers "ok"    |
 * | print TEXT  | writes TEXT and a newline to stdout; answers "ok"   |
 * | eprint TEXT | the same to stderr                                  |
 * | trap        | unreachable                                         |
 * | else        | answered unchanged                                  |
 *
 * config-data: "init-sleep MS" blocks in initialize, "shutdown-sleep MS" in shutdown.
 */
#include "airssys_guest.h"

#define IMPORT(module, name) __attribute__((import_module("wasi:" module "@0.2.0"), import_name(name))) extern

IMPORT("cli/stdout", "get-stdout") int32_t get_stdout(void);
IMPORT("cli/stderr", "get-stderr") int32_t get_stderr(void);
IMPORT("io/streams", "[method]output-stream.blocking-write-and-flush")
void write_and_flush(int32_t stream, const uint8_t *data, size_t size, void *result);
IMPORT("io/streams", "[resource-drop]output-stream") void drop_stream(int32_t stream);
IMPORT("io/error", "[resource-drop]error") void drop_error(int32_t error);
IMPORT("clocks/monotonic-clock", "subscribe-duration") int32_t subscribe_duration(uint64_t nanoseconds);
IMPORT("io/poll", "[method]pollable.block") void block(int32_t pollable);
IMPORT("io/poll", "[resource-drop]pollable") void drop_pollable(int32_t pollable);

#define LARGEST_WRITE 4096 /* a blocking write takes no more at once */

static uint64_t shutdown_sleep_ms;

static void sleep_ms(uint64_t duration_ms) {
    const int32_t pollable = subscribe_duration(duration_ms * 1000000);
    block(pollable);
    drop_pollable(pollable);
}

static bool write_some(int32_t stream, ag_bytes bytes) {
    struct { bool failed; struct { uint8_t which; int32_t error; } error; } result;
    write_and_flush(stream, bytes.data, bytes.size, &result);
    if (result.failed && result.error.which == 0) drop_error(result.error.error);
    return !result.failed;
}

static ag_answer write_line(int32_t stream, ag_bytes text) {
    bool written = true;
    while (written && text.size) {
        const size_t size = text.size < LARGEST_WRITE ? text.size : LARGEST_WRITE;
        written = write_some(stream, (ag_bytes){text.data, size});
        text = (ag_bytes){text.data + size, text.size - size};
    }
    written = written && write_some(stream, AG("\n"));
    drop_stream(stream);
    return written ? ag_some(AG("ok")) : ag_fail(AG_RUNTIME_ERROR, AG("the stream refused"));
}

ag_answer guest_handle_message(const ag_message *message) {
    ag_bytes rest = message->payload;
    const ag_bytes word = ag_take(&rest, ' ');
    uint64_t duration_ms;
    if (ag_equal(word, AG("trap"))) __builtin_trap();
    if (ag_equal(word, AG("print"))) return write_line(get_stdout(), rest);
    if (ag_equal(word, AG("eprint"))) return write_line(get_stderr(), rest);
    if (!ag_equal(word, AG("sleep")) || !ag_parse_u64(rest, &duration_ms)) return ag_some(message->payload);
    sleep_ms(duration_ms);
    return ag_some(AG("ok"));
}

ag_outcome guest_initialize(const ag_config *config) {
    uint64_t duration_ms;
    ag_bytes rest = config->data.value;
    const ag_bytes word = config->data.some ? ag_take(&rest, ' ') : AG("");
    if (ag_equal(word, AG("shutdown-sleep"))) ag_parse_u64(rest, &shutdown_sleep_ms);
    if (ag_equal(word, AG("init-sleep")) && ag_parse_u64(rest, &duration_ms)) sleep_ms(duration_ms);
    return ag_done();
}

ag_outcome guest_shutdown(void) {
    if (shutdown_sleep_ms) sleep_ms(shutdown_sleep_ms);
    return ag_done();
}

ag_metadata guest_metadata(void) {
    return (ag_metadata){
        .name = AG("wasi"),
        .version = AG("1.0.0"),
        .description = AG("Writes to the streams of WASI and blocks in its poll"),
        .author = AG("airssys"),
        .license = AG("Apache-2.0"),
    };
}
