"""Where do audio files live, and who may fetch them? A folder with unguessable names, and a row for each file."""
