"""`python -m firstread`: the `firstread` command."""

from firstread.cli import main

if __name__ == "__main__":
    main()
