/* The same interface from somebody who means no good: it eats memory, traps, or never comes back. */
#include "calculator.h"

EXPORT(EVALUATE) const result *evaluate(const uint8_t *data, size_t size) {
    const ag_bytes expression = {data, size};
    if (ag_equal(expression, AG("memory")))
        for (;;) ag_scratch(1 << 20); /* traps when the host gives no more */
    if (ag_equal(expression, AG("trap"))) __builtin_trap();
    for (volatile uint32_t i = 0;; i++) {}
}
