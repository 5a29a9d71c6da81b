"""`python -m chime` is the command line."""

from chime.cli import main

if __name__ == "__main__":
    main()
