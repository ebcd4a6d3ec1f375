"""What tests share: real parts and fakes, each with its own tests where it can be wrong."""
