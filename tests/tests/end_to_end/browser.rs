//! Real Chromium against the real page; the scripts are in `tests/browser`.
