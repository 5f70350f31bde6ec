"""Entry point of `python -m firstread`."""

from firstread.cli import main

if __name__ == "__main__":
    main()
