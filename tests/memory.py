"""Measuring how much memory a process takes."""

BY_ITSELF = ("/bin/sh", "-c", '"$@"; exit $?', "sh")
"""Words in front of a command whose peak memory is to be measured.

Linux lets a process begin with the peak of the one that started it, which here would be that of the tests.
"""
