"""Isolation of participants' processes on one Linux machine: namespaces, Landlock, seccomp, rlimits and disk quotas."""
