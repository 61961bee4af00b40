"""The dispatcher: image list, leases, ledger, crews, the run itself."""
