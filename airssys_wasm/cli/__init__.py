"""The command line: one file a command, each parses, calls the system, shows. Knows system and core, decides nothing.

Typer and rich come with the extra `cli`; nothing outside this folder needs them.
"""
