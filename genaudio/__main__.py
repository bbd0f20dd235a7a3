"""`python -m genaudio`: the command `gen`."""

from genaudio.cli.app import main

if __name__ == "__main__":
    main()
