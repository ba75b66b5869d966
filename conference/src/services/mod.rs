//! What the API may ask for, with the rights checked.
