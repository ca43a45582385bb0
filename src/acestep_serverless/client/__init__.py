"""How do we speak to other servers? To any ACE-Step API about tasks, and to our gateway about workers."""
