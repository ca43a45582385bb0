"""How does state become durable? An engine, one writer thread with grouped commits, migrations, and wake-ups."""
