//! Steps of one node, and of several that see each other late.
