"""Where do audio files live? In a folder under unguessable names; which job they belong to is `jobs/shelf`'s."""
