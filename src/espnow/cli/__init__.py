"""The command ``espnow``: one module a subcommand.

Rules: arguments, exit codes and printing live only here. A mistake of the user is one line on standard error and exit
code 2. Nothing that came by air reaches a terminal unescaped.
"""
