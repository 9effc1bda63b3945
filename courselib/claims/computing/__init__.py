"""The computations of the ledger, a function a claim, in files named after what they compute; ledger.functions() loads all."""
