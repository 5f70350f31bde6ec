"""Prefork (zygote) processes: servers and kernels are forked from processes with all modules imported (Linux)."""
