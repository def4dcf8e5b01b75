/* As much JSON as the stages of this pipeline need: writing strings, and walking over a text without a tree. */
#ifndef LOGS_JSON_H
#define LOGS_JSON_H

#include "airssys_guest.h"

/* Each stage uses a part of these. */
#pragma clang diagnostic ignored "-Wunused-function"

/* ---- writing ---------------------------------------------------------------------------------------------- */

/* Escapes what RFC 8259 (section 7) says must be; everything else stays as it is. */
static void json_put_escaped(ag_text *out, uint8_t c) {
    static const char hex[] = "0123456789abcdef";
    if (c == '"' || c == '\\') {
        ag_put_char(out, '\\');
        ag_put_char(out, (char)c);
    } else if (c < 0x20) {
        const char code[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        ag_put(out, (ag_bytes){(const uint8_t *)code, sizeof code});
    } else {
        ag_put_char(out, (char)c);
    }
}

static void json_put_string(ag_text *out, ag_bytes text) {
    ag_put_char(out, '"');
    for (size_t i = 0; i < text.size; i++) json_put_escaped(out, text.data[i]);
    ag_put_char(out, '"');
}

/* ---- reading ---------------------------------------------------------------------------------------------- */

/* What is left to read. Each function below takes something off and says whether it was there. */
typedef struct { const uint8_t *at, *end; } json;

static void json_space(json *text) {
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\t' || *text->at == '\n' || *text->at == '\r')) text->at++;
}

static bool json_char(json *text, char c) {
    json_space(text);
    if (text->at == text->end || *text->at != (uint8_t)c) return false;
    text->at++;
    return true;
}

/* What follows a backslash. */
static bool json_escape(json *text) {
    static const char simple[] = "\"\\/bfnrt";
    if (text->at == text->end) return false;
    const uint8_t c = *text->at++;
    for (const char *known = simple; *known; known++)
        if (c == (uint8_t)*known) return true;
    if (c != 'u' || text->end - text->at < 4) return false;
    for (const uint8_t *const last = text->at + 4; text->at < last; text->at++) {
        const uint8_t digit = *text->at, lower = digit | 0x20;
        if (!((digit >= '0' && digit <= '9') || (lower >= 'a' && lower <= 'f'))) return false;
    }
    return true;
}

/* The string as it is written, escapes and all, without its quotes. */
static bool json_string(json *text, ag_bytes *raw) {
    if (!json_char(text, '"')) return false;
    const uint8_t *const start = text->at;
    while (text->at < text->end && *text->at >= 0x20) {
        const uint8_t c = *text->at++;
        if (c == '"') {
            *raw = (ag_bytes){start, (size_t)(text->at - 1 - start)};
            return true;
        }
        if (c == '\\' && !json_escape(text)) return false;
    }
    return false;
}

static bool json_u64(json *text, uint64_t *value) {
    json_space(text);
    const uint8_t *const start = text->at;
    while (text->at < text->end && *text->at >= '0' && *text->at <= '9') text->at++;
    return ag_parse_u64((ag_bytes){start, (size_t)(text->at - start)}, value);
}

/* A number, true, false or null; not looked at closely. */
static bool json_word(json *text) {
    const uint8_t *const start = text->at;
    for (; text->at < text->end; text->at++) {
        const uint8_t c = *text->at, lower = c | 0x20;
        if (!((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '-' || c == '+' || c == '.')) break;
    }
    return text->at > start;
}

/* Any value. Brackets must match, at most 64 deep; commas and colons between them are not looked at closely. */
static bool json_skip(json *text) {
    uint64_t objects = 0; /* a bit for each open bracket: is it an object? */
    int depth = 0;
    do {
        ag_bytes ignored;
        json_space(text);
        if (text->at == text->end) return false;
        const uint8_t c = *text->at;
        if (c == '{' || c == '[') {
            if (depth++ == 64) return false;
            objects = objects << 1 | (c == '{');
            text->at++;
        } else if (c == '}' || c == ']') {
            if (depth-- == 0 || (objects & 1) != (c == '}')) return false;
            objects >>= 1;
            text->at++;
        } else if (c == '"') {
            if (!json_string(text, &ignored)) return false;
        } else if (depth && (c == ',' || c == ':')) {
            text->at++;
        } else if (!json_word(text)) {
            return false;
        }
    } while (depth);
    return true;
}

/* The next member of an object, whose opening brace has been taken; its value must then be taken. */
static bool json_member(json *text, bool first, ag_bytes *key) {
    if (!first && !json_char(text, ',')) return false;
    return json_string(text, key) && json_char(text, ':');
}

#endif
