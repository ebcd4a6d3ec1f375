"""The emulator, part by part."""
