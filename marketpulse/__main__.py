"""`python -m marketpulse`."""

from marketpulse.cli import main

if __name__ == "__main__":
    main()
