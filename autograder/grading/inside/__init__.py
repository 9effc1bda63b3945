"""What runs beside a student's code, staged whole into the sandbox. Imports nothing of ours but `asking`."""
