/* Masks what a log should not keep, in a line of JSON or of any other text.
 *
 * | found                                                              | becomes           |
 * |--------------------------------------------------------------------|-------------------|
 * | an IPv4 address: four numbers up to 255                            | [ip]              |
 * | an IPv6 address in any of its forms, but for a bare ::             | [ip]              |
 * | an e-mail address, its @ written as %40 too                        | [email]           |
 * | what follows a name that ends in token, key, password, passwd, pwd | NAME=[redacted]   |
 * | or secret (in any case) and = or %3D, up to a blank, &, ; or "     |                   |
 *
 * Works on the text and not on its structure, so that nothing escapes it by being oddly placed; escapes of JSON
 * strings are kept whole, so what was valid JSON stays so. When in doubt it masks: a browser's version 120.0.0.0
 * looks like an address. What a JSON escape hides (\u0040 for @) it does not see.
 */
#include "airssys_guest.h"

#define LONGEST_IPV6 45 /* of RFC 4291's text forms: eight groups, the last two dotted */

typedef struct {
    const uint8_t *at, *end;
    uint8_t before;    /* the byte before `at`; 0 after an escape or a mask */
    size_t name_start; /* where in `out` the name or local part that is being read began */
    ag_text out;
} scan;

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static bool is_letter(uint8_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
static bool is_hex(uint8_t c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
static bool is_word(uint8_t c) { return is_letter(c) || is_digit(c) || c == '_'; }
static bool is_name(uint8_t c) { return is_word(c) || c == '.' || c == '+' || c == '-'; }

/* ---- addresses: each returns how many bytes it takes, or 0 ------------------------------------------------- */

static size_t ipv4(const uint8_t *text, size_t size) {
    size_t at = 0;
    for (int group = 0; group < 4; group++) {
        if (group && (at == size || text[at++] != '.')) return 0;
        unsigned value = 0;
        size_t digits = 0;
        for (; at < size && is_digit(text[at]) && digits < 4; at++, digits++) value = value * 10 + (text[at] - '0');
        if (digits == 0 || digits > 3 || value > 255) return 0;
    }
    return at;
}

static bool ipv6_whole(const uint8_t *text, size_t size) {
    size_t at = 0;
    int groups = 0, gap = -1;
    if (size >= 2 && text[0] == ':' && text[1] == ':') gap = 0, at = 2;
    while (at < size) {
        size_t digits = 0;
        while (at + digits < size && is_hex(text[at + digits])) digits++;
        if (at + digits < size && text[at + digits] == '.') { /* the dotted tail counts for two groups */
            groups += 2;
            at += ipv4(text + at, size - at);
            if (at != size) return false;
            break;
        }
        if (digits == 0 || digits > 4) return false;
        groups++;
        at += digits;
        if (at == size) break;
        at++; /* a colon: the caller lets nothing else through */
        if (at == size) return false;
        if (text[at] == ':') {
            if (gap >= 0) return false;
            gap = groups;
            at++;
        }
    }
    return gap < 0 ? groups == 8 : groups >= 1 && groups <= 7;
}

static size_t ipv6(const uint8_t *text, size_t size) {
    size_t run = 0, colons = 0;
    for (; run < size && (is_hex(text[run]) || text[run] == ':' || text[run] == '.'); run++) {
        colons += text[run] == ':';
        if (run > LONGEST_IPV6) return 0;
    }
    if (colons < 2 || (run < size && is_word(text[run]))) return 0;
    if (ipv6_whole(text, run)) return run;
    const bool punctuated = run > 1 && (text[run - 1] == '.' || text[run - 1] == ':');
    return punctuated && ipv6_whole(text, run - 1) ? run - 1 : 0;
}

/* The domain of an e-mail address: labels with at least one dot, the last of two letters or more. */
static size_t domain(const uint8_t *text, size_t size) {
    size_t at = 0, good = 0, letters = 0;
    bool dotted = false;
    for (; at < size && (is_letter(text[at]) || is_digit(text[at]) || text[at] == '.' || text[at] == '-'); at++) {
        if (text[at] == '.') {
            dotted = at > 0;
            letters = 0;
        } else {
            letters = is_letter(text[at]) ? letters + 1 : 0;
            if (dotted && letters >= 2) good = at + 1;
        }
    }
    return good;
}

/* ---- the scan --------------------------------------------------------------------------------------------- */

static size_t left(const scan *in) { return (size_t)(in->end - in->at); }

/* Puts a mask in the place of what was taken from the input. */
static void mask(scan *in, size_t taken, ag_bytes text) {
    ag_put(&in->out, text);
    in->at += taken;
    in->before = 0;
    in->name_start = in->out.size;
}

/* A backslash and what belongs to it, within what is left. */
static size_t escape(const scan *in) {
    const size_t size = left(in) > 1 && in->at[1] == 'u' ? 6 : 2;
    return size < left(in) ? size : left(in);
}

static bool mask_address(scan *in) {
    if (is_word(in->before) || in->before == '.') return false;
    size_t taken = ipv6(in->at, left(in));
    if (!taken && is_digit(*in->at)) {
        taken = ipv4(in->at, left(in));
        const uint8_t *const after = in->at + taken;
        const size_t more = left(in) - taken;
        if (more && (is_word(*after) || (*after == '.' && more > 1 && is_digit(after[1])))) taken = 0;
    }
    if (taken) mask(in, taken, AG("[ip]"));
    return taken > 0;
}

/* The size of a separator at `at`: one character, or its percent code "%XY" with Y in upper case. */
static size_t separator(const scan *in, uint8_t c, uint8_t high, uint8_t low) {
    if (*in->at == c) return 1;
    const bool coded = left(in) >= 3 && in->at[0] == '%' && in->at[1] == high;
    return coded && (in->at[2] == low || in->at[2] == (low | 0x20)) ? 3 : 0;
}

static bool mask_email(scan *in) {
    const size_t at_sign = separator(in, '@', '4', '0');
    if (!at_sign || in->name_start == in->out.size) return false;
    const size_t taken = domain(in->at + at_sign, left(in) - at_sign);
    if (!taken) return false;
    in->out.size = in->name_start;
    mask(in, at_sign + taken, AG("[email]"));
    return true;
}

static bool is_secret_name(const scan *in) {
    static const char *const endings[] = {"token", "key", "password", "passwd", "pwd", "secret"};
    const ag_bytes name = {in->out.data + in->name_start, in->out.size - in->name_start};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const ag_bytes ending = ag_string(endings[i]);
        if (name.size < ending.size) continue;
        const uint8_t *const tail = name.data + name.size - ending.size;
        size_t same = 0;
        while (same < ending.size && (tail[same] | 0x20) == ending.data[same]) same++;
        if (same == ending.size) return true;
    }
    return false;
}

static bool mask_secret(scan *in) {
    const size_t equals = separator(in, '=', '3', 'D');
    if (!equals || !is_secret_name(in)) return false;
    ag_put(&in->out, (ag_bytes){in->at, equals});
    in->at += equals;
    const uint8_t *const value = in->at;
    while (in->at < in->end && *in->at > ' ' && *in->at != '&' && *in->at != ';' && *in->at != '"')
        in->at += *in->at == '\\' ? escape(in) : 1;
    mask(in, 0, in->at > value ? AG("[redacted]") : AG(""));
    return true;
}

static void step(scan *in) {
    if (mask_address(in) || mask_email(in) || mask_secret(in)) return;
    const bool escaped = *in->at == '\\';
    const size_t size = escaped ? escape(in) : 1;
    ag_put(&in->out, (ag_bytes){in->at, size});
    in->before = escaped ? 0 : *in->at;
    if (escaped || !is_name(*in->at)) in->name_start = in->out.size;
    in->at += size;
}

ag_answer guest_handle_message(const ag_message *message) {
    const ag_bytes text = message->payload;
    scan in = {.at = text.data, .end = text.data + text.size};
    while (in.at < in.end) step(&in);
    return ag_some(ag_done_text(&in.out));
}

ag_metadata guest_metadata(void) {
    static const ag_bytes operations[] = {AG("redact")};
    return (ag_metadata){
        .name = AG("redact"),
        .version = AG("1.0.0"),
        .description = AG("Masks addresses and secrets"),
        .author = AG("airssys"),
        .license = AG("Apache-2.0"),
        .supported_operations = {operations, 1},
    };
}
