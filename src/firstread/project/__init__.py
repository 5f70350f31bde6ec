"""The project folder: steps, their state, the audit log, the vault; calls the other rooms in their order."""
