"""What the benches, `tests/soak/` and `tests/conformance/` share: builds, processes, servers, reports."""
