/* What tool.wit's `evaluate` takes and answers, in the layout of the canonical ABI. */
#ifndef CALCULATOR_H
#define CALCULATOR_H

#include "airssys_guest.h"

#define EVALUATE "agent:tools/calculator@1.0.0#evaluate"
#define EXPORT(name) __attribute__((export_name(name)))

enum problem { SYNTAX, DIVISION_BY_ZERO, TOO_DEEP };

typedef struct {
    bool failed;
    union {
        struct { double value; uint32_t steps; } working;
        struct { uint8_t which; uint32_t at; } problem;
    };
} result;

_Static_assert(sizeof(result) == 24, "result");

#endif
