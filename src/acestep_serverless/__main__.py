"""`python -m acestep_serverless` is the command line program."""

from acestep_serverless.cli import main

if __name__ == "__main__":
    main()
