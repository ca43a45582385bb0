"""Runpod starts this file: the worker, configured by the platform's environment. `--test_input '{"input": {...}}'`
tries it."""

from acestep_serverless.assembly.worker import main_on_runpod

if __name__ == "__main__":
    main_on_runpod()
