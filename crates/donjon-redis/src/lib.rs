//! Sessions on Redis and Valkey.
