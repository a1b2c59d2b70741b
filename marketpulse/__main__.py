"""`python -m marketpulse`."""

from marketpulse.cli.app import main

if __name__ == "__main__":
    main()
