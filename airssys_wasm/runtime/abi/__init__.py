"""Component values over wasmtime's C API: prototypes, WIT types, and codecs made from the types.

Owns the memory layout and the checks that keep a bad Python value from aborting the process. Knows nothing of the
contract with guests, of messages or of actors, but for the byte path: `frame.py` and `deliver.wat` know a message.
"""
