/* Turns a line of a web server's access log into one line of JSON.
 *
 * Reads the combined log format, which Apache and nginx share, and the common one, which ends before the referer:
 *
 *     HOST IDENT USER [10/Oct/2000:13:55:36 -0700] "METHOD TARGET HTTP/VERSION" STATUS BYTES "REFERER" "AGENT"
 *
 * Fields after the agent are ignored. A `-` becomes null, as bytes it becomes 0; the target is cut at its first `?`
 * into path and query. In quoted fields \" and \\ are unescaped and other escapes stay as the server wrote them.
 * A line of another shape answers runtime-error, whose text says where and never repeats the line: it may hold
 * secrets.
 */
#include "json.h"

/* What is left of the line, and the field that is being read, for the error text. */
typedef struct { const uint8_t *start, *at, *end; const char *field; } line;

typedef struct {
    ag_bytes host, user, time, method, path, query, protocol, referer, agent;
    bool has_query;
    uint64_t status, bytes;
} entry;

static const ag_bytes dash = {(const uint8_t *)"-", 1};

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static bool is_letter(uint8_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

static bool literal(line *in, char c) {
    if (in->at == in->end || *in->at != (uint8_t)c) return false;
    in->at++;
    return true;
}

/* One or more bytes up to a blank. */
static bool word(line *in, ag_bytes *out) {
    const uint8_t *const start = in->at;
    while (in->at < in->end && *in->at != ' ') in->at++;
    *out = (ag_bytes){start, (size_t)(in->at - start)};
    return out->size > 0;
}

static bool bracketed_time(line *in, ag_bytes *out) {
    static const char shape[] = "[00/aaa/0000:00:00:00 +0000]";
    const size_t size = sizeof shape - 1;
    if ((size_t)(in->end - in->at) < size) return false;
    for (size_t i = 0; i < size; i++) {
        const uint8_t c = in->at[i];
        const bool fits = shape[i] == '0'   ? is_digit(c)
                          : shape[i] == 'a' ? is_letter(c)
                          : shape[i] == '+' ? c == '+' || c == '-'
                                            : c == (uint8_t)shape[i];
        if (!fits) return false;
    }
    *out = (ag_bytes){in->at + 1, size - 2};
    in->at += size;
    return true;
}

static bool quoted(line *in, ag_bytes *out) {
    if (!literal(in, '"')) return false;
    ag_text text = {0};
    for (; in->at < in->end; in->at++) {
        if (*in->at == '"') {
            in->at++;
            *out = ag_done_text(&text);
            return true;
        }
        if (*in->at == '\\') {
            if (++in->at == in->end) return false;
            if (*in->at != '"' && *in->at != '\\') ag_put_char(&text, '\\');
        }
        ag_put_char(&text, (char)*in->at);
    }
    return false;
}

static bool request(line *in, entry *out) {
    ag_bytes rest;
    if (!quoted(in, &rest)) return false;
    out->method = ag_take(&rest, ' ');
    ag_bytes target = ag_take(&rest, ' ');
    out->protocol = rest;
    for (size_t i = 0; i < out->method.size; i++)
        if (!is_letter(out->method.data[i]) && out->method.data[i] != '-') return false;
    for (size_t i = 0; i < rest.size; i++)
        if (rest.data[i] == ' ') return false;
    if (!out->method.size || !target.size || !ag_starts_with(rest, AG("HTTP/"))) return false;
    const size_t whole = target.size;
    out->path = ag_take(&target, '?');
    out->query = target;
    out->has_query = out->path.size < whole;
    return true;
}

static bool status(line *in, entry *out) {
    ag_bytes text;
    return word(in, &text) && text.size == 3 && ag_parse_u64(text, &out->status) && out->status >= 100 &&
           out->status <= 599;
}

static bool bytes(line *in, entry *out) {
    ag_bytes text;
    if (!word(in, &text)) return false;
    out->bytes = 0;
    return ag_equal(text, dash) || (text.size <= 18 && ag_parse_u64(text, &out->bytes));
}

static bool referer_and_agent(line *in, entry *out) {
    out->referer = out->agent = dash;
    if (in->at == in->end) return true;
    return (in->field = "referer", literal(in, ' ') && quoted(in, &out->referer) && literal(in, ' ')) &&
           (in->field = "agent", quoted(in, &out->agent) && (in->at == in->end || *in->at == ' '));
}

static bool parse(line *in, entry *out) {
    ag_bytes ident;
    return (in->field = "host", word(in, &out->host) && literal(in, ' ')) &&
           (in->field = "ident", word(in, &ident) && literal(in, ' ')) &&
           (in->field = "user", word(in, &out->user) && literal(in, ' ')) &&
           (in->field = "time", bracketed_time(in, &out->time) && literal(in, ' ')) &&
           (in->field = "request", request(in, out) && literal(in, ' ')) &&
           (in->field = "status", status(in, out) && literal(in, ' ')) &&
           (in->field = "bytes", bytes(in, out)) && referer_and_agent(in, out);
}

static void put_key(ag_text *out, ag_bytes key) {
    ag_put_char(out, out->size ? ',' : '{');
    json_put_string(out, key);
    ag_put_char(out, ':');
}

static void put_text(ag_text *out, ag_bytes key, ag_bytes value, bool there) {
    put_key(out, key);
    if (there && !ag_equal(value, dash)) json_put_string(out, value); else ag_put(out, AG("null"));
}

static void put_number(ag_text *out, ag_bytes key, uint64_t value) {
    put_key(out, key);
    ag_put_u64(out, value);
}

static ag_bytes to_json(const entry *parsed) {
    ag_text out = {0};
    put_text(&out, AG("host"), parsed->host, true);
    put_text(&out, AG("user"), parsed->user, true);
    put_text(&out, AG("time"), parsed->time, true);
    put_text(&out, AG("method"), parsed->method, true);
    put_key(&out, AG("path"));
    json_put_string(&out, parsed->path);
    put_text(&out, AG("query"), parsed->query, parsed->has_query);
    put_text(&out, AG("protocol"), parsed->protocol, true);
    put_number(&out, AG("status"), parsed->status);
    put_number(&out, AG("bytes"), parsed->bytes);
    put_text(&out, AG("referer"), parsed->referer, true);
    put_text(&out, AG("agent"), parsed->agent, true);
    ag_put_char(&out, '}');
    return ag_done_text(&out);
}

static ag_answer malformed(const line *in) {
    ag_text out = {0};
    ag_put(&out, AG("malformed line: no valid "));
    ag_put(&out, ag_string(in->field));
    ag_put(&out, AG(" up to byte "));
    ag_put_u64(&out, (uint64_t)(in->at - in->start));
    return ag_fail(AG_RUNTIME_ERROR, ag_done_text(&out));
}

ag_answer guest_handle_message(const ag_message *message) {
    ag_bytes text = message->payload;
    if (text.size && text.data[text.size - 1] == '\r') text.size--;
    if (!ag_is_utf8(text)) return ag_fail(AG_RUNTIME_ERROR, AG("malformed line: not UTF-8"));
    line in = {text.data, text.data, text.data + text.size, ""};
    entry parsed;
    return parse(&in, &parsed) ? ag_some(to_json(&parsed)) : malformed(&in);
}

ag_metadata guest_metadata(void) {
    static const ag_bytes operations[] = {AG("parse")};
    return (ag_metadata){
        .name = AG("parse"),
        .version = AG("1.0.0"),
        .description = AG("Turns access log lines into JSON"),
        .author = AG("airssys"),
        .license = AG("Apache-2.0"),
        .supported_operations = {operations, 1},
    };
}
