//! New pieces from trained networks.
