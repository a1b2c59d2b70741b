"""`python -m marketpulse`."""

from marketpulse.cli.startup import main

if __name__ == "__main__":
    main()
