"""The rules of an org: what may be saved, what the platform fills in, how rows are deleted and come back."""
