"""How is the server for agents started? `acestep-serverless mcp` hands over to this file, which Ctrl-C ends quietly."""

from acestep_serverless.interrupts import quiet_start


def main() -> None:
    """Run the program. Ctrl-C ends it quietly from its first moment on."""
    with quiet_start():
        from acestep_serverless.mcp import program
    program.main()


if __name__ == "__main__":
    main()
