/* A calculator by recursive descent. Nothing in it knows of limits: `2^1000000000000` runs until the host ends it. */
#include "calculator.h"

#define DEEPEST 100

static ag_bytes text;
static size_t at;
static uint32_t steps, depth;
static bool failed;
static result answer;

static double fail(enum problem which) {
    if (!failed) {
        failed = true;
        answer.failed = true;
        answer.problem.which = which;
        answer.problem.at = at;
    }
    return 0;
}

static char next(void) {
    while (at < text.size && text.data[at] == ' ') at++;
    return at < text.size ? (char)text.data[at] : 0;
}

static bool take(char c) {
    if (failed || next() != c) return false;
    at++;
    return true;
}

static bool digit(void) { return at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; }

static double number(void) {
    next();
    if (!digit()) return fail(SYNTAX);
    double value = 0;
    for (; digit(); at++) value = value * 10 + (text.data[at] - '0');
    if (at < text.size && text.data[at] == '.') {
        double unit = 1;
        for (at++; digit(); at++) value += (text.data[at] - '0') * (unit /= 10);
    }
    return value;
}

static double sum(void);

static double atom(void) {
    const bool minus = take('-');
    if (!minus && !take('(')) return number();
    if (++depth > DEEPEST) return fail(TOO_DEEP);
    const double value = minus ? -atom() : sum();
    depth--;
    return minus || take(')') ? value : fail(SYNTAX);
}

static double power(void) {
    const double base = atom();
    if (!take('^')) return base;
    const double exponent = number();
    volatile double value = 1; /* a compiler must not make a formula of the loop: it is the example's long calculation */
    steps++;
    for (double i = 0; i < exponent; i++) value *= base;
    return value;
}

static double product(void) {
    double value = power();
    while (!failed) {
        if (take('*')) value *= power();
        else if (take('/')) {
            const double divisor = power();
            if (divisor == 0) return fail(DIVISION_BY_ZERO);
            value /= divisor;
        } else break;
        steps++;
    }
    return value;
}

static double sum(void) {
    double value = product();
    while (!failed) {
        if (take('+')) value += product();
        else if (take('-')) value -= product();
        else break;
        steps++;
    }
    return value;
}

EXPORT(EVALUATE) const result *evaluate(const uint8_t *data, size_t size) {
    text = (ag_bytes){data, size};
    at = steps = depth = 0;
    failed = false;
    const double value = sum();
    if (next()) fail(SYNTAX);
    if (!failed) {
        answer.failed = false;
        answer.working.value = value;
        answer.working.steps = steps;
    }
    return &answer;
}

EXPORT("cabi_post_" EVALUATE) void post_evaluate(const void *done) { (void)done; ag_scratch_release(); }
