/* The second version of state.h. */
#define VERSION "2"
#include "state.h"
