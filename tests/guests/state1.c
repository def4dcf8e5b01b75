/* The first version of state.h. */
#define VERSION "1"
#include "state.h"
