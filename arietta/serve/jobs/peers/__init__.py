"""The other servers of a history that several share: who composes what, and for whom."""
